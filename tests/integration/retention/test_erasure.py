"""Erasing a run leaves nothing of it but the trail, which verifies, and links that say what became of it."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from audit.models import AuditEvent
from audit.verify import verify
from tests.integration.retention.aging import family, mentions
from tests.support.documents import publish
from tests.support.engine import begin, broadcast, start_action, start_workflow, work_until_idle
from tests.support.interleaving import Doing, before_checkpoint, let_all_go, work_on
from workflows import operations
from workflows.models import Event, Run
from workflows.operations import EventInvalid, GoneRun, NotAllowed, UnknownRun

pytestmark = pytest.mark.usefixtures("handlers")
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "asked for in letter 17"}
PERSON = "grace.hopper@example.com"
CHILD = "do:\n- hello: {call: 'test-echo', with: {value: '${ .word }'}}\n"
PARENT = """do:
- below: {run: {workflow: {namespace: tests, name: child, version: 1.0.0, input: {word: '${ .who }'}}}}
"""
LISTEN = "do:\n- ask: {listen: {to: {one: {with: {type: paid}}}}}\n"


def erased(run: uuid.UUID) -> int:
    return operations.erase(run, **WHY)


def test_an_erased_run_is_nowhere_but_in_the_trail() -> None:
    publish("child", CHILD)
    run = operations.start_workflow(
        publish("story", PARENT),
        {"who": PERSON},
        actor="user:ada",
        trigger="test",
        key=PERSON,
        title=PERSON,
        tags=[PERSON],
    ).run_id
    work_until_idle()
    event = {"specversion": "1.0", "id": "1", "source": "/tests", "type": "paid", "subject": str(run), "data": PERSON}
    operations.deliver_event(event, actor="user:test", via="api")
    assert Run.objects.get(pk=run).state == "succeeded"
    runs = family(run)
    assert mentions(PERSON)
    assert erased(run) == 2
    assert mentions(PERSON, *runs) == {}
    assert not [row for row in AuditEvent.objects.values_list("data", "reason", "actor") if PERSON in str(row)]
    assert AuditEvent.objects.filter(kind="run.erased", run__in=runs, reason=WHY["reason"]).count() == 2
    assert verify().broken == []


def test_an_event_that_only_the_erased_run_got_says_nothing_any_more() -> None:
    one, other = begin(LISTEN), start_workflow("story", {})
    work_until_idle()
    event = {"specversion": "1.0", "id": "9", "source": "/tests", "type": "paid", "subject": PERSON, "data": PERSON}
    operations.deliver_event(event, actor="user:test", via="api")
    work_until_idle()
    erased(one)
    assert Event.objects.get().envelope["data"] == PERSON, "the other run still has it"
    erased(other)
    assert mentions(PERSON) == {}
    assert not operations.deliver_event(event, actor="user:test", via="api").created, "it is still known"
    assert mentions(PERSON) == {}


def test_all_events_that_started_an_erased_run_say_nothing_any_more() -> None:
    filters = ", ".join(f"{{with: {{type: {kind}}}}}" for kind in "abc")
    publish("reacts", f"schedule: {{on: {{all: [{filters}]}}}}\ndo: [{{a: {{set: {{b: 1}}}}}}]")
    runs = list[list[uuid.UUID]]()
    for kind in "abc":
        event = {"specversion": "1.0", "id": kind, "source": "/tests", "type": kind, "data": PERSON}
        runs.append(operations.deliver_event(event, actor="user:test", via="api").runs)
    [run] = runs[2]
    assert Event.objects.filter(messages__run=run).count() == 3
    first = {"specversion": "1.0", "id": "a", "source": "/tests", "type": "a", "data": PERSON}
    assert operations.deliver_event(first, actor="user:test", via="api").runs == runs[0] == [], "as it was answered"
    work_until_idle()
    assert mentions(PERSON)
    erased(run)
    assert mentions(PERSON) == {}


def test_a_run_starts_also_when_an_event_that_was_collected_is_forgotten() -> None:
    publish("reacts", "schedule: {on: {all: [{with: {type: a}}, {with: {type: b}}]}}\ndo: [{a: {set: {b: 1}}}]")
    for kind in "ab":
        event = {"specversion": "1.0", "id": kind, "source": "/tests", "type": kind, "data": 1}
        found = operations.deliver_event(event, actor="user:test", via="api")
        if kind == "a":
            Event.objects.all().delete()
    assert len(found.runs) == 1
    assert Event.objects.get(messages__run=found.runs[0]).type == "b"


def test_what_is_sent_to_an_erased_run_does_not_bring_the_data_back() -> None:
    run = start_action("test-echo", {"value": PERSON})
    work_until_idle()
    erased(run)
    event = {"specversion": "1.0", "id": "2", "source": "/tests", "type": "paid", "subject": str(run), "data": PERSON}
    assert operations.deliver_event(event, actor="user:test", via="api").runs == []
    assert mentions(PERSON) == {}


def test_an_event_of_which_nothing_is_left_is_not_delivered_again() -> None:
    only, gone = begin(LISTEN), start_action("test-echo", {"value": 1})
    work_until_idle()
    about = {"specversion": "1.0", "source": "/tests", "type": "paid"}
    one = operations.deliver_event({**about, "id": "1", "data": PERSON}, actor="user:test", via="api")
    assert one.runs == [only]
    work_until_idle()
    erased(only)
    erased(gone)
    other = operations.deliver_event({**about, "id": "2", "subject": str(gone)}, actor="user:test", via="api")
    start_workflow("story", {})
    work_until_idle()
    for each in (one, other):
        with pytest.raises(EventInvalid) as refused:
            operations.replay_event(each.event_id, number="3", **WHY)
        assert "not kept any more" in str(refused.value.problems[0])
    bare = operations.deliver_event({**about, "type": "x", "id": "4"}, actor="user:test", via="api")
    assert operations.replay_event(bare.event_id, number="5", **WHY).created, "it never said more than that"


def test_the_same_key_makes_a_new_run_after_erasure() -> None:
    run = start_action("test-echo", {"value": 1}, key="order-1")
    work_until_idle()
    erased(run)
    assert start_action("test-echo", {"value": 1}, key="order-1") != run


@pytest.mark.parametrize("failed", [False, True])
def test_a_run_that_is_not_over_is_refused(failed: bool) -> None:
    run = start_action("test-refuses", {}) if failed else begin(LISTEN)
    work_until_idle()
    with pytest.raises(NotAllowed):
        erased(run)
    broadcast()
    operations.cancel(run, **WHY)
    assert erased(run) == 1


def test_a_child_is_erased_with_the_run_at_the_top() -> None:
    publish("child", CHILD)
    run = begin(PARENT, {"who": "x"})
    work_until_idle()
    child = family(run)[1]
    with pytest.raises(NotAllowed, match=str(run)):
        erased(child)
    assert erased(run) == 2


def test_a_family_with_a_dead_letter_is_not_erased() -> None:
    publish("child", "do:\n- no: {call: test-refuses}\n")
    run = begin("do:\n- all: {call: map, with: {items: [1], onError: collect, workflow: {name: child}}}\n")
    work_until_idle()
    child = family(run)[1]
    with pytest.raises(NotAllowed, match=str(child)):
        erased(run)
    operations.resolve(child, **WHY)
    assert erased(run) == 2


def test_a_run_in_which_somebody_works_is_not_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin("do:\n- slow: {call: test-outside, with: {file: /dev/null}}\n")
    turn = before_checkpoint("slow", monkeypatch)
    working = work_on("slow")
    try:
        turn.reached()
        operations.cancel(run, **WHY)
        with pytest.raises(NotAllowed, match="worked on"):
            erased(run)
        turn.go()
        working.done()
    finally:
        let_all_go()
    assert erased(run) == 1


def test_of_two_who_erase_at_once_one_is_told_that_it_is_gone() -> None:
    run = start_action("test-echo", {"value": 1})
    work_until_idle()
    told: list[Any] = []

    def do() -> None:
        try:
            told.append(erased(run))
        except UnknownRun as error:
            told.append(type(error))

    for one in [Doing(do) for _ in range(4)]:
        one.done()
    assert sorted(told, key=str) == [1, GoneRun, GoneRun, GoneRun]
    assert verify().broken == []


def test_a_run_that_never_was_is_unknown_and_not_gone() -> None:
    with pytest.raises(UnknownRun) as unknown:
        erased(uuid.uuid4())
    assert not isinstance(unknown.value, GoneRun)


@pytest.fixture
def admin() -> Client:
    person = User.objects.create_user("boss", is_staff=True)
    person.groups.add(Group.objects.get(name="Admin"))
    client = Client()
    client.force_login(person)
    return client


def test_the_api_erases_and_then_answers_410(admin: Client) -> None:
    run = start_action("test-echo", {"value": 1})
    work_until_idle()
    url = f"/api/v1/runs/{run}"
    body = {"reason": "asked for"}
    answer = admin.post(f"{url}/erasure", body, content_type="application/json")
    assert (answer.status_code, answer.json()) == (200, {"runs": 1})
    for path in ("", "/steps", f"/steps/{uuid.uuid4()}"):
        gone = admin.get(url + path)
        assert gone.status_code == 410, path
        assert gone.json()["type"] == "/problems/gone"
        assert "was erased on" in gone.json()["detail"]
    assert admin.post(f"{url}/retries", body, content_type="application/json").status_code == 410
    assert admin.get(f"{url}/audit").json()["items"][-1]["kind"] == "run.erased"
    assert admin.get(f"/api/v1/runs/{uuid.uuid4()}").status_code == 404


def test_the_page_erases_and_then_says_what_became_of_the_run(admin: Client) -> None:
    run = start_action("test-echo", {"value": 1})
    work_until_idle()
    assert f"/runs/{run}/erase/" in admin.get(f"/runs/{run}/").content.decode()
    answer = admin.post(f"/runs/{run}/erase/", {"reason": "asked for"})
    assert answer.status_code == 303
    page = admin.get(f"/runs/{run}/")
    assert page.status_code == 410
    assert "It was erased:" in page.content.decode()
    assert "asked for" in page.content.decode()
    assert admin.get(f"/runs/{run}/live/").status_code == 404


def test_an_operator_is_not_offered_to_erase() -> None:
    person = User.objects.create_user("ops")
    person.groups.add(Group.objects.get(name="Operator"))
    client = Client()
    client.force_login(person)
    run = start_action("test-echo", {"value": 1})
    work_until_idle()
    assert "erase" not in client.get(f"/runs/{run}/").content.decode()
    assert client.post(f"/runs/{run}/erase/", {"reason": "x"}).status_code == 403
    refused = client.post(f"/api/v1/runs/{run}/erasure", {"reason": "x"}, content_type="application/json")
    assert refused.status_code == 403


def test_how_long_runs_are_kept_is_set_over_http(admin: Client) -> None:
    def put(days: Any) -> Any:
        body = {"keep_days": days, "reason": "policy"}
        return admin.put("/api/v1/actions/test-echo/retention", body, content_type="application/json")

    assert put(90).json() == {"keep_days": 90}
    assert put(None).json() == {"keep_days": None}
    assert put(0).status_code == 422
    assert put("x").status_code == 422
    assert AuditEvent.objects.filter(kind="retention.changed").count() == 2
