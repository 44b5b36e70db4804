"""The pages of workflows and actions: versions, what changed between them, how they do, and every call."""

import re
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from actions.models import Action, ActionVersion
from tests.support.documents import publish
from tests.support.engine import start_action, start_workflow, work_until_idle
from tests.support.pages import Seeded
from workflows import queries
from workflows.models import Workflow, WorkflowVersion
from workflows.operations import draft_workflow

Reader = Callable[..., Client]
SECOND = "do:\n  - prepare: {call: test-echo, with: {value: 9}}\n"


def page(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content.decode()[:500]
    return response.content.decode()


def made(count: int, begin: int = 0) -> None:
    """Make so many workflows, each with a published version."""
    now = timezone.now()
    names = [Workflow(name=f"many-{n:03}") for n in range(begin, count)]
    Workflow.objects.bulk_create(names)
    WorkflowVersion.objects.bulk_create(
        WorkflowVersion(workflow=each, version="1.0.0", state="published", source="", published_at=now)
        for each in names
    )


def test_another_version_is_shown_as_such_and_one_that_is_not_there_is_not(reader: Reader, runs: Seeded) -> None:
    publish("broken", SECOND, "1.1.0")
    client = reader()
    assert "This is version" not in page(client, "/workflows/broken/")
    for address in ("/workflows/broken/?version=1.0.0", "/workflows/broken/versions/1.0.0/"):
        text = page(client, address)
        assert "This is version 1.0.0" in text
        assert "New runs use 1.1.0" in text
        assert "/workflows/broken/start/" not in text
        assert "test-refuses" in text
    page(client, "/workflows/broken/?version=7.0.0", 404)
    page(client, "/actions/test-echo/?version=7.0.0", 404)
    page(client, "/actions/test-echo/?version=1.0.0")


def test_a_draft_is_no_version_that_a_start_would_use(reader: Reader, runs: Seeded) -> None:
    draft_workflow(
        "document: {dsl: 1.0.3, namespace: tests, name: broken, version: 3.0.0}\n" + SECOND, actor="user:test"
    )
    assert queries.workflow("broken").version == "1.0.0"  # type: ignore[union-attr]  # it was published
    text = page(reader(), "/workflows/broken/?version=3.0.0")
    assert "draft" in text
    assert "/start/" not in text


def test_a_workflow_leads_to_what_it_uses_and_an_action_to_what_uses_it(reader: Reader, runs: Seeded) -> None:
    client = reader()
    text = page(client, "/workflows/order/")
    assert "/actions/test-echo/?version=1.0.0" in text
    assert "datastore.set" in text
    assert 'href="/workflows/broken/"' in page(client, "/actions/test-refuses/")
    publish("broken", SECOND, "1.1.0")
    assert "No published workflow calls it" in page(client, "/actions/test-refuses/")


def test_what_only_undoes_is_used_too(handlers: None) -> None:
    undo = "{call: test-refuses, with: {code: a}}"
    publish("undoes", f"do: [{{a: {{call: test-echo, with: {{value: 1}}, metadata: {{dotdo: {{undo: {undo}}}}}}}}}]")
    assert [name for name, *_ in queries.used_by("test-refuses")] == ["undoes"]
    assert queries.used_by("test") == []


def test_the_difference_of_two_versions_is_that_of_their_sources(reader: Reader, runs: Seeded) -> None:
    publish("broken", SECOND, "1.1.0")
    client = reader()
    chosen = client.get("/workflows/broken/diff/?old=1.0.0&new=1.1.0")
    assert (chosen.status_code, chosen.headers["Location"]) == (302, "/workflows/broken/diff/1.0.0..1.1.0/")
    text = page(client, chosen.headers["Location"])
    assert re.search(r'<tr class="del">.*value: 1}', text)
    assert re.search(r'<tr class="add">.*value: 9}', text)
    assert "No difference" in page(client, "/workflows/broken/diff/1.0.0..1.0.0/")


@pytest.mark.parametrize(
    "address",
    [
        "/workflows/broken/diff/1.0.0..9.9.9/",
        "/workflows/nothing/diff/1.0.0..1.0.0/",
        "/workflows/broken/diff/",
        "/workflows/broken/diff/?old=1.0.0&new=//evil.example",
        "/workflows/broken/diff/a..b..c/",
        "/actions/test-echo/diff/1.0.0..x/",
    ],
)
def test_versions_that_are_not_there_have_no_difference(reader: Reader, runs: Seeded, address: str) -> None:
    page(reader(), address, 404)


def test_the_difference_of_two_contracts_masks_what_looks_like_a_secret(reader: Reader, handlers: None) -> None:
    action = Action.objects.create(name="posts")
    for number, secret in ((1, "hunter2"), (2, "hunter3")):
        ActionVersion.objects.create(
            action=action, version=f"{number}.0.0", kind="http", config={"url": f"/{number}", "api_key": secret}
        )
    text = page(reader(), "/actions/posts/diff/1.0.0..2.0.0/")
    assert "/1" in text
    assert "hunter" not in text
    assert "hunter" not in page(reader(), "/actions/posts/?version=1.0.0")


def test_a_document_in_another_notation_is_compared_by_what_it_says(reader: Reader, handlers: None) -> None:
    publish("both", SECOND)
    source = (
        '{"document": {"dsl": "1.0.3", "namespace": "tests", "name": "both", "version": "1.1.0"},'
        ' "do": [{"prepare": {"call": "test-echo", "with": {"value": 9}}}]}'
    )
    draft_workflow(source, actor="user:test")
    text = page(reader(), "/workflows/both/diff/1.0.0..1.1.0/")
    assert text.count('class="add"') == 1
    assert text.count('class="del"') == 1


def test_lists_are_searched_and_paged_there_and_back(reader: Reader, database: None) -> None:
    made(120)
    client, address, seen = reader(), "/workflows/", list[str]()
    while address:
        text = page(client, address)
        seen += re.findall(r'class="t" href="/workflows/(many-\d+)/"', text)
        following = re.search(r'href="(\?[^"]+)" rel="next"', text)
        address = f"/workflows/{following[1]}" if following else ""
    assert seen == [f"many-{n:03}" for n in range(120)]
    back = re.search(r'href="(\?[^"]+)" rel="prev"', text)
    assert back
    assert re.findall(r'/workflows/(many-\d+)/"', page(client, f"/workflows/{back[1]}"))[0] == "many-050"
    assert "many-007" in page(client, "/workflows/?q=Y-007")
    assert "Nothing matches" in page(client, "/workflows/?q=nothing-like-it")
    page(client, "/workflows/?after=x", 400)
    page(client, "/workflows/?colour=red", 400)


def test_a_longer_list_asks_the_database_no_more(reader: Reader, database: None) -> None:
    client, counts = reader(), []
    for begin, end in ((0, 2), (2, 45)):
        made(end, begin)
        client.get("/workflows/")
        with CaptureQueriesContext(connection) as asked:
            client.get("/workflows/")
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_calls_are_listed_with_what_went_in_and_came_out(reader: Reader, runs: Seeded) -> None:
    text = page(reader(), "/actions/test-refuses/")
    assert "declined" in text
    assert "the other side said no" in text
    start_action("test-echo", {"value": {"answer": 42, "password": "hunter2"}})
    start_action("test-echo", {"value": "x" * 6_000})
    work_until_idle(5)
    text = page(reader(), "/actions/test-echo/")
    assert "42" in text
    assert "hunter2" not in text
    assert "xxxxxxxx" not in text
    assert "over 4 kB, at the step" in text


def test_calls_of_one_status_only(reader: Reader, runs: Seeded) -> None:
    client = reader()
    assert str(runs.failed) in page(client, "/actions/test-refuses/?status=failed")
    assert str(runs.failed) not in page(client, "/actions/test-refuses/?status=succeeded")
    assert "None of these calls" in page(client, "/actions/test-refuses/?status=open")
    page(client, "/actions/test-refuses/?status=purple", 400)
    page(client, "/actions/test-refuses/?after=x", 400)


def test_calls_are_paged_there_and_back_without_gaps(handlers: None) -> None:
    for number in range(23):
        start_action("test-echo", {"value": number})
    work_until_idle(40)
    pages, after = [], None
    while True:
        found = queries.invocations("test-echo", after=after, limit=5)
        pages.append([row.step_id for row in found.items])
        after = found.next
        if after is None:
            break
    assert [len(each) for each in pages] == [5, 5, 5, 5, 3]
    assert len({each for part in pages for each in part}) == 23
    back, place = [pages[-1]], found.previous
    while place is not None:
        found = queries.invocations("test-echo", before=place, limit=5)
        back.insert(0, [row.step_id for row in found.items])
        place = found.previous
    assert back[-2:] == pages[-2:]
    assert [each for part in back for each in part] == [each for part in pages for each in part]


def test_a_status_that_is_rare_is_found_behind_what_was_looked_at(
    handlers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["workflows.queries.invocations"], "LOOKED_AT", 4)
    start_workflow(publish("rare", "do: [{a: {call: test-refuses, with: {code: no}}}]"), {})
    work_until_idle(5)
    for number in range(9):
        start_action("test-refuses", {"code": f"c{number}"})
    work_until_idle(20)
    found = queries.invocations("test-refuses", status="succeeded", limit=3)
    assert (found.items, found.previous) == ([], None)
    seen, after = 0, found.next
    while after:
        found = queries.invocations("test-refuses", status="failed", after=after, limit=3)
        seen, after = seen + len(found.items), found.next
    assert seen == 6


@pytest.mark.parametrize("count", [3, 30])
def test_more_calls_ask_the_database_no_more(handlers: None, count: int) -> None:
    for number in range(count):
        start_action(
            "test-refuses" if number % 2 else "test-echo", {"value": number} if not number % 2 else {"code": "a"}
        )
    work_until_idle(count + 5)
    with CaptureQueriesContext(connection) as asked:
        queries.invocations("test-echo", limit=30)
    assert len(asked) <= 4


def test_performance_comes_from_rollups(reader: Reader, runs: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, timedelta]] = []

    def performance(kind: str, *, since: object) -> dict[str, queries.Performance]:
        asked.append((kind, timezone.now() - since))  # type: ignore[operator]  # a moment
        return {"broken": queries.Performance(2_000, 1_990, 10, 0, 1_200.0, 90_000.0)}

    monkeypatch.setattr(queries, "performance", performance)
    text = page(reader(), "/workflows/broken/")
    assert [round(window / timedelta(hours=1)) for _, window in asked] == [24, 168]
    assert "99.5" in text
    assert "2,000" in text
    assert "1 m 30 s" in text
    assert "99.5" in page(reader(), "/workflows/")


def test_what_went_in_and_out_is_for_those_who_may_see_runs(reader: Reader, runs: Seeded) -> None:
    client = reader(None)
    may = ["view_action", "view_workflow"]
    User.objects.get(username="nobody").user_permissions.set(Permission.objects.filter(codename__in=may))
    for address, words in (("/actions/test-refuses/", "order/88213"), ("/workflows/broken/", "order/88213")):
        assert words in page(reader("Viewer"), address)
        assert words not in page(client, address)
        assert "/runs/" not in page(client, address)
