"""Plain forms for what people do: offered where the rules allow it, a reason each, refusals in words."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from tests.support import rows
from workflows import queries
from workflows.models import Event, Message, Run, Step, Subscription, Undo

Reader = Callable[..., Client]
pytestmark = pytest.mark.usefixtures("handlers")
HOUR = timedelta(hours=1)
FORM = {
    "type": "object",
    "required": ["limit"],
    "properties": {
        "limit": {"type": "number", "title": "New limit"},
        "lines": {"type": "array", "items": {"type": "string"}},
        "urgent": {"type": "boolean", "default": False},
    },
}


def text(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, response.content.decode()
    return response.content.decode()


def approval(run: Run | None = None, **asked: Any) -> Step:
    made = run or rows.run("waiting", "person", title="a customer")
    return rows.step(made, "ask", "waiting", function="approval:1.0.0", input={"title": "Raise the limit?", **asked})


# --- runs -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("state", "offered"),
    [
        ("running", {"suspend", "cancel"}),
        ("suspended", {"resume", "cancel"}),
        ("failed", {"retry", "resolve", "cancel"}),
        ("succeeded", set()),
    ],
)
def test_what_the_rules_allow_is_offered_and_nothing_else(reader: Reader, state: str, offered: set[str]) -> None:
    run = rows.run(state)
    page = text(reader(), f"/runs/{run.id}/")
    verbs = {"retry", "resolve", "suspend", "resume", "cancel", "undo"}
    assert {verb for verb in verbs if f'data-dialog="dialog-{verb}"' in page} == offered


@pytest.mark.parametrize(
    ("before", "verb", "after"),
    [("running", "suspend", "suspended"), ("failed", "resolve", "failed"), ("running", "cancel", "cancelled")],
)
def test_a_form_asks_why_and_the_run_is_what_was_asked_for(reader: Reader, before: str, verb: str, after: str) -> None:
    run, client = rows.run(before), reader()
    path = f"/runs/{run.id}/{verb}/"
    assert "kept in the audit trail" in text(client, path)
    assert client.post(path, {"reason": " "}).status_code == 422
    assert client.post(path, {"reason": "because"})["Location"] == f"/runs/{run.id}/"
    assert rows.state(run) == after
    assert "This cannot be done now" in text(client, path)
    client.post(path, {"reason": "again"})
    assert "Nothing was done" in text(client, f"/runs/{run.id}/")


def test_the_form_of_an_undo_lists_what_it_undoes_the_last_one_first(reader: Reader) -> None:
    run = rows.run("failed", "dead_letter")
    for name in ("reserve", "charge"):
        key = f"/do/0/{name}"
        Undo.objects.create(run=run, place=key, key=key, ref=key, name=name, function=f"undo-{name}:1.0.0")
    page = text(reader(), f"/runs/{run.id}/undo/")
    assert page.index("undo-charge:1.0.0") < page.index("undo-reserve:1.0.0")
    assert 'data-dialog="dialog-undo"' in text(reader(), f"/runs/{run.id}/")


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("waiting", "person", "Waiting for a person"),
        ("waiting", "event", "Waiting for an event"),
        ("waiting", "child", "Waiting for a run"),
        ("suspended", "", "Suspended"),
        ("failed", "undo_failed", "Undo failed"),
        ("cancelled", "undone", "Undone"),
        ("failed", "undone", "Undone"),
        ("running", "undoing", "Undoing"),
    ],
)
def test_why_a_run_rests_is_said_in_words_on_its_page_and_in_the_list(
    reader: Reader, state: str, reason: str, words: str
) -> None:
    run = rows.run(state, reason)
    if state != "cancelled":
        rows.step(run, "ask", "failed" if state == "failed" else "held" if state == "suspended" else "waiting")
    client = reader()
    assert words in text(client, f"/runs/{run.id}/")
    listed = queries.run(run.id)
    assert listed is not None
    assert words in text(client, f"/runs/?status={listed.label}")
    assert queries.tally(queries.RunFilter())[listed.label].number == 1


# --- steps ----------------------------------------------------------------------------------------------------------
def test_a_step_says_where_it_stands_what_it_waits_for_and_what_it_received(reader: Reader) -> None:
    run = rows.run("waiting", "event")
    step = rows.step(run, "paid", "waiting", "listen", key="/do/0/lines@2/do/1/f/fork/branches/0/left/do/0/paid")
    Subscription.objects.create(step=step, type="com.example.paid", source="/shop")
    event = Event.objects.create(
        source="/shop",
        event_id="1",
        type="com.example.early",
        envelope={"data": {"n": 5}},
        via="api",
        received_at=Now(),
    )
    Message.objects.create(run=run, step=step, kind="event", event=event, created_at=Now())
    page = text(reader(), f"/runs/{run.id}/?step={step.id}")
    for words in (
        "iteration 3 of lines, branch left of f",
        "com.example.paid",
        "/shop",
        "com.example.early",
        "not taken yet",
    ):
        assert words in page
    assert "com.example.early" in text(reader(), f"/runs/{run.id}/?view=io")


def test_a_step_is_skipped_with_a_form(reader: Reader) -> None:
    run = rows.run("failed", "dead_letter")
    step = rows.step(run, "charge", "failed", error={"code": "declined", "message": "no"})
    client = reader()
    path = f"/runs/{run.id}/steps/{step.id}/skip/"
    assert path in text(client, f"/runs/{run.id}/?step={step.id}")
    assert "Pass this step over?" in text(client, path)
    wrong = client.post(path, {"output": "{", "reason": "paid"})
    assert wrong.status_code == 422
    assert client.post(path, {"output": "1", "reason": ""}).status_code == 422
    assert client.post(path, {"output": '{"paid": true}', "reason": "paid"}).status_code == 303
    assert Message.objects.get().data == {
        "skip": True,
        "output": {"paid": True},
        "by": "user:operator",
        "reason": "paid",
    }


def test_a_wait_is_ended_with_a_form(reader: Reader) -> None:
    run = rows.run("waiting", "timer")
    step = rows.step(run, "nap", kind="wait", due=HOUR)
    client = reader()
    path = f"/runs/{run.id}/steps/{step.id}/fire/"
    assert path in text(client, f"/runs/{run.id}/?step={step.id}")
    assert client.post(path, {"reason": "enough"}).status_code == 303
    assert "This cannot be done now" in text(client, path)


def test_a_fault_that_was_caught_is_no_dead_letter(reader: Reader) -> None:
    run = rows.run("running")
    step = rows.step(run, "charge", "failed", caught=True, error={"code": "declined", "message": "no"})
    page = text(reader(), f"/runs/{run.id}/?step={step.id}")
    assert "Failed, caught" in page
    assert f"/steps/{step.id}/skip/" not in page
    found = queries.run(run.id)
    assert found is not None
    assert found.steps_failed == 0


def test_parents_and_children_lead_to_each_other(reader: Reader) -> None:
    parent = rows.run("waiting", "child", title="the parent")
    step = rows.step(parent, "sub", "waiting", function="map:1.0.0")
    children = [rows.run("running", title=f"child {n}", parent_step=step.id, parent_index=n) for n in range(25)]
    rows.step(children[3], "a", "failed")
    Run.objects.filter(pk=children[3].pk).update(state="failed", reason="dead_letter")
    client = reader()
    page = text(client, f"/runs/{parent.id}/?step={step.id}")
    assert "25: 1 failed, 24 running" in page
    assert page.index(str(children[3].id)) < page.index(str(children[0].id))
    assert f"/runs/?parent={step.id}" in page
    assert str(parent.id) in text(client, f"/runs/{children[3].id}/")
    listed = text(client, f"/runs/?parent={step.id}")
    assert "child 24" in listed
    assert "the parent" not in listed
    assert "is not the id of a step" in text(client, "/runs/?parent=x", 400)


# --- events ---------------------------------------------------------------------------------------------------------
def test_an_event_is_sent_to_a_run_once_however_often_the_form_is_sent(reader: Reader) -> None:
    run, client = rows.run("waiting", "event"), reader()
    path = f"/runs/{run.id}/event/"
    form = {"id": "form-1", "type": "com.example.paid", "data": '{"n": 1}', "reason": "they called"}
    assert 'name="id"' in text(client, path)
    assert client.post(path, {**form, "type": "", "data": "{"}).status_code == 422
    assert client.post(path, {**form, "reason": ""}).status_code == 422
    assert not Event.objects.exists()
    for _ in range(2):
        assert client.post(path, form).status_code == 303
    event = Event.objects.get()
    assert (event.run_id, event.via, event.envelope["reason"]) == (run.id, "person", "they called")
    assert Message.objects.get().event_id == event.id


# --- approvals ------------------------------------------------------------------------------------------------------
def test_the_navigation_counts_what_waits_for_the_reader(reader: Reader) -> None:
    approval()
    approval(assignees={"users": ["somebody-else"]})
    page = text(reader(), "/")
    assert 'href="/approvals/"' in page
    assert '<span class="count" data-s="waiting">1<' in page
    assert "/approvals/" not in text(reader("Viewer"), "/")


def test_the_list_says_what_is_asked_of_whom_and_until_when(reader: Reader) -> None:
    step = approval(assignees={"groups": ["Operator"]}, dueIn={"days": 2}, description="Look well.")
    page = text(reader(), "/approvals/")
    for words in (
        "Raise the limit?",
        "Look well.",
        "group Operator",
        "a customer",
        f"/approvals/{step.run_id}/{step.id}/",
    ):
        assert words in page
    assert "Nothing waits for you" in text(reader("Admin"), "/approvals/")


def test_an_approval_is_answered_with_the_form_that_it_asks_for(reader: Reader) -> None:
    step, client = approval(form=FORM), reader()
    path = f"/approvals/{step.run_id}/{step.id}/"
    page = text(client, path)
    assert "New limit" in page
    more = client.post(path, {"/limit": "7", "count:/lines": "0", "do": "add:/lines"}).content.decode()
    assert 'name="/lines/0"' in more
    assert 'value="7"' in more
    wrong = client.post(path, {"/limit": "much", "do": "approved"})
    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.content.decode()
    done = client.post(path, {"/limit": "7", "do": "approved", "reason": "known"})
    assert done["Location"] == "/approvals/"
    data = {"limit": 7, "urgent": False}
    assert Message.objects.get().data == {"decision": "approved", "by": "operator", "data": data}
    assert "It was answered by operator." in text(client, path)


def test_a_rejection_needs_nothing_filled_in(reader: Reader) -> None:
    step = approval(form=FORM)
    assert reader().post(f"/approvals/{step.run_id}/{step.id}/", {"/limit": "", "do": "rejected"}).status_code == 303
    assert Message.objects.get().data == {"decision": "rejected", "by": "operator", "data": None}


def test_who_is_not_asked_reads_who_is_and_gets_no_form(reader: Reader) -> None:
    step, client = approval(assignees={"users": ["grace"]}), reader()
    path = f"/approvals/{step.run_id}/{step.id}/"
    page = text(client, path)
    assert "You are not asked" in page
    assert "grace" in page
    assert 'value="approved"' not in page
    assert "is not asked" in client.post(path, {"do": "approved"}).content.decode()


def test_the_second_answer_is_told_about_the_first(reader: Reader) -> None:
    step = approval()
    path = f"/approvals/{step.run_id}/{step.id}/"
    assert reader().post(path, {"do": "approved"}).status_code == 303
    late = reader("Admin").post(path, {"do": "rejected"})
    assert (late.status_code, "already answered by operator" in late.content.decode()) == (422, True)


# --- the way of a run -----------------------------------------------------------------------------------------------
def test_the_events_tell_cases_iterations_and_what_was_skipped_or_caught(reader: Reader) -> None:
    run = rows.run("running")
    step = rows.step(run, "pay", "succeeded", function="charge:1.0.0", key="/do/1/loop@2/do/0/pay")
    lines = [
        "/do/0/which took big",
        "/do/1/loop iteration 3 of 10",
        "/do/1/loop@2/do/1/note skipped",
        "/do/1/loop@2/do/2/t caught communication",
        "/do/2/set",
    ]
    rows.tell(run, "step.succeeded", {"step": step.key, "name": "pay", "kind": "call", "path": lines})
    page = text(reader(), f"/runs/{run.id}/?view=events")
    places = [
        page.index(words)
        for words in ("pay succeeded", "took big", "iteration 3 of 10", "skipped", "caught communication")
    ]
    assert places == sorted(places)
    assert f"step={step.id}" in page
    assert "loop iteration 3 of 10" in page


# --- what a run waits for -------------------------------------------------------------------------------------------
def test_the_page_of_a_run_asks_its_question_and_lets_those_answer_who_are_asked(reader: Reader) -> None:
    step = approval(rows.run("waiting", "person"), assignees={"groups": ["Operator"]})
    page = text(reader(), f"/runs/{step.run_id}/")
    head = page[page.index('id="head"') : page.index('id="view"')]
    for words in ("Raise the limit?", "group Operator", f'href="/approvals/{step.run_id}/{step.id}/"', "Answer"):
        assert words in head
    assert "Waiting for a person (ask)" not in head
    for other in ("Viewer", "Admin"):  # one may not answer at all, the other is not asked
        page = text(reader(other), f"/runs/{step.run_id}/")
        assert "Raise the limit?" in page
        assert f"/approvals/{step.run_id}" not in page


def test_the_page_of_a_run_names_the_events_it_listens_for_and_offers_to_send_one(reader: Reader) -> None:
    run = rows.run("waiting", "event")
    step = rows.step(run, "paid", "waiting", "listen")
    Subscription.objects.create(step=step, index=0, type="com.example.paid", source="/shop")
    Subscription.objects.create(step=step, index=1, type="com.example.refused")
    page = text(reader(), f"/runs/{run.id}/")
    for words in ("com.example.paid", "/shop", "com.example.refused", f"/runs/{run.id}/event/?type=com.example.paid"):
        assert words in page
    assert "?type=" not in text(reader("Viewer"), f"/runs/{run.id}/")
    form = text(reader(), f"/runs/{run.id}/event/")
    assert 'value="com.example.paid" maxlength' in form
    assert '<option value="com.example.refused">' in form


def test_a_deadline_is_told_from_the_step_that_it_limits(reader: Reader) -> None:
    run = rows.run("waiting", "event")
    rows.step(run, "news", "waiting", "listen", key="/do/0/news")
    timer = rows.step(run, "news", "ready", "timer", key="/do/0/news#timeout", due=timedelta(hours=1))
    page = text(reader(), f"/runs/{run.id}/?step={timer.id}")
    for words in (">deadline of news<", 'class="deadline"', "If news is not done by then"):
        assert words in page


def test_rows_of_a_fork_stand_below_their_branch(reader: Reader) -> None:
    run = rows.run("waiting", "event")
    for index, name in enumerate("ab"):
        rows.step(run, "c", "waiting", "listen", key=f"/do/0/both/fork/branches/{index}/{name}/do/0/c")
    page = text(reader(), f"/runs/{run.id}/")
    places = [page.index(f'title="{name}">{name}</span>') for name in ("both", "a", "b")]
    assert places == sorted(places)
