"""The pages of failures: what is said of a group, what may be decided, and that nothing of a message is markup."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.support.rows import run, step
from workflows import operations, queries
from workflows.grouping import chores
from workflows.models import FailureGroup, Run
from workflows.queries import FailureFilter

pytestmark = pytest.mark.usefixtures("handlers")
Reader = Callable[..., Client]
WHY = {"reason": "the gateway is back"}


def failed(message: str = "card 4711 declined", code: str = "declined") -> Run:
    error = {"code": code, "message": message, "retryable": False}
    made = run("failed", "dead_letter", stopped=timedelta(seconds=1), error=error)
    step(made, "charge", "failed", error=error)
    return made


def group() -> FailureGroup:
    chores.group()
    return FailureGroup.objects.get()


def page(reader: Reader, path: str, status: int = 200, role: str = "Operator") -> str:
    response = reader(role).get(path)
    assert response.status_code == status
    return response.content.decode()


def test_the_list_names_the_cause_once_and_leads_to_what_helps(reader: Reader) -> None:
    failed("card 1 declined")
    failed("card 2 declined")
    found = group()
    html = page(reader, "/failures/")
    assert html.count("declined: card &lt;n&gt; declined</a>") == 1
    assert f"/batches/new/?verb=retry&amp;group={found.fingerprint}" in html
    assert "Retry 2" in html
    assert 'aria-label="Failures, last 12 hours: now 2, at most 2"' in html
    assert "New</span>" in html


def test_nothing_that_a_run_said_is_markup(reader: Reader) -> None:
    failed("<script>alert</script> \u202egnp", code="<b>bad</b>")
    found = group()
    for path in ("/failures/", f"/failures/{found.fingerprint}/", f"/failures/{found.fingerprint}/resolve/"):
        html = page(reader, path)
        assert "<script>alert" not in html
        assert "<b>bad" not in html
        assert "\u202e" not in html


def test_a_group_shows_its_runs_versions_and_trend(reader: Reader) -> None:
    made = failed()
    found = group()
    html = page(reader, f"/failures/{found.fingerprint}/?window=7d")
    assert f"/runs/{made.pk}/" in html
    assert "1 failure</p>" in html
    assert "Show as table" in html
    assert f"/runs/?status=failed&amp;group={found.fingerprint}" in html
    assert "First time" in html


def test_deciding_asks_for_a_reason_and_says_what_became_of_it(reader: Reader) -> None:
    failed()
    path = f"/failures/{group().fingerprint}"
    client = reader()
    assert client.post(f"{path}/resolve/", {"reason": " "}).status_code == 422
    assert client.post(f"{path}/ignore/", {"for": "never", **WHY}).status_code == 422
    response = client.post(f"{path}/resolve/", WHY)
    assert (response.status_code, response["Location"]) == (303, f"{path}/")
    html = page(reader, f"{path}/")
    assert "the gateway is back" in html
    assert f"verb=resolve&amp;group={FailureGroup.objects.get().fingerprint}" in html
    assert "1 run still waits for a person" in html
    client.post(f"{path}/resolve/", WHY)
    assert "Nothing was done" in client.get(f"{path}/").content.decode()
    client.post(f"{path}/ignore/", {"for": "10", **WHY})
    assert "Ignored until it has happened 10 times more" in page(reader, f"{path}/")
    client.post(f"{path}/reopen/", WHY)
    assert FailureGroup.objects.get().state == "open"


def test_a_viewer_reads_and_is_offered_nothing(reader: Reader) -> None:
    failed()
    found = group()
    for path in ("/failures/", f"/failures/{found.fingerprint}/"):
        html = page(reader, path, role="Viewer")
        for words in ("/batches/new/", "/resolve/", "/ignore/"):
            assert words not in html
    assert reader("Viewer").post(f"/failures/{found.fingerprint}/resolve/", WHY).status_code == 403


def test_who_decided_and_why_is_for_those_who_may_read_the_audit_log(reader: Reader) -> None:
    failed()
    path = f"/failures/{group().fingerprint}"
    reader().post(f"{path}/ignore/", {"for": "10", **WHY})
    reader().post(f"{path}/reopen/", {"reason": "not yet"})
    assert "the gateway is back" in page(reader, f"{path}/")
    html = page(reader, f"{path}/", role="Viewer")
    for words in ("the gateway is back", "not yet", "What was decided"):
        assert words not in html


def test_states_and_filters_stand_in_the_address(reader: Reader) -> None:
    failed("one")
    failed("two")
    chores.group()
    one = FailureGroup.objects.get(message="one")
    operations.resolve_failure(one.fingerprint, actor="user:test", reason="done")
    assert "declined: two" in page(reader, "/failures/")
    assert "declined: one" not in page(reader, "/failures/")
    assert "declined: one" in page(reader, "/failures/?state=resolved")
    assert "No failure is ignored" in page(reader, "/failures/?state=ignored")
    assert "declined: two" in page(reader, "/failures/?q=TWO&since=24h&code=declined&name=test-echo")
    assert "No failure matches" in page(reader, "/failures/?q=three")


def test_what_cannot_be_understood_is_said_and_shows_nothing(reader: Reader) -> None:
    failed()
    chores.group()
    for path in ("?state=mine", "?color=red", "?since=ever", "?after=nonsense"):
        html = page(reader, f"/failures/{path}", 400)
        assert "declined:" not in html
    page(reader, f"/failures/{'f' * 32}/", 404)
    page(reader, "/failures/%00/", 404)


def test_nothing_open_is_good_news(reader: Reader) -> None:
    assert "No run has failed so far" in page(reader, "/failures/")
    failed()
    operations.resolve_failure(group().fingerprint, actor="user:test", reason="done")
    assert "Nothing needs attention" in page(reader, "/failures/")
    assert "The last failure was resolved" in page(reader, "/failures/")


def test_pages_go_there_and_back_over_groups_of_the_same_moment(reader: Reader) -> None:
    for word in ("one", "two", "three", "four", "five"):
        failed(word)
    chores.group()
    now = timezone.now()
    FailureGroup.objects.update(last_seen_at=now)
    chosen = FailureFilter(state="open")
    first = queries.failures(chosen, limit=2)
    second = queries.failures(chosen, after=first.next, limit=2)
    third = queries.failures(chosen, after=second.next, limit=2)
    seen = [row.message for each in (first, second, third) for row in each.items]
    assert sorted(seen) == ["five", "four", "one", "three", "two"]
    assert third.next is None
    assert queries.failures(chosen, before=third.previous, limit=2).items == second.items
    assert queries.failures(chosen, before=second.previous, limit=2).items == first.items


def test_the_navigation_counts_what_is_open(reader: Reader) -> None:
    failed()
    group()
    assert '1<span class="vh"> open</span>' in page(reader, "/runs/")


def test_a_page_costs_the_same_for_many_groups(reader: Reader) -> None:
    client = reader()

    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queried:
            assert client.get("/failures/").status_code == 200
        return len(queried)

    failed("one")
    chores.group()
    cost()
    few = cost()
    for word in ("two", "three", "four", "five", "six"):
        failed(word)
    chores.group()
    assert cost() == few


@pytest.mark.parametrize(
    ("values", "trend"),
    [
        ({"count": 1}, "first"),
        ({"count": 5}, "new"),
        ({"count": 5, "first_seen_at": timezone.now() - timedelta(days=2)}, "ongoing"),
        ({"count": 5, "since_version": True}, "since"),
        ({"count": 5, "regressed_at": timezone.now()}, "regressed"),
    ],
)
def test_a_trend_says_what_is_most_worth_knowing(values: dict[str, object], trend: str) -> None:
    failed()
    group()
    FailureGroup.objects.update(**values)
    row = queries.failure(FailureGroup.objects.get().fingerprint)
    assert row is not None
    assert row.trend == trend


def test_what_happens_meanwhile_is_offered_and_moves_nothing(reader: Reader) -> None:
    failed("one")
    chores.group()
    client = reader()
    html = client.get("/failures/").content.decode()
    address = html.split('data-poll hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert client.get(address).status_code == 204
    Run.objects.all().update(stopped_at=timezone.now())
    chores.group()
    answer = client.get(address)
    assert answer.status_code == 200
    assert "1 cause happened" in answer.content.decode()
    assert client.get("/failures/live/?top=nonsense&v=0").status_code == 204
