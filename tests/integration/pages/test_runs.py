"""The list of runs: filters that say what they do, pages that lose nothing, updates that take nothing away."""

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dotdo_site.lib.paging import encode
from tests.support.engine import start_action, start_workflow, work_until_idle
from tests.support.pages import Seeded
from workflows import operations, queries
from workflows.grouping import chores as grouping
from workflows.models import FailureGroup, Run, SavedView
from workflows.queries import RunFilter, TooSlow, filtering
from workflows.views import holding

Reader = Callable[..., Client]
SLOWLY = "SELECT 'failed' AS state, pg_sleep(1)::text AS reason, false AS resolved"


@pytest.fixture(autouse=True)
def _no_ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "TICK_SECONDS", 1e9)


def text(client: Client, path: str, status: int = 200, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == status, response.content.decode()
    return response.content.decode()


def found(client: Client, query: str) -> set[UUID]:
    return {run.id for run in client.get(f"/runs/?{query}").context["page"].items}


def many(count: int, **values: object) -> None:
    """Make runs that have succeeded, without running them."""
    like = Run.objects.order_by("id").first()
    assert like is not None
    now = timezone.now()
    given = {"name": like.name, "state": "succeeded", "trigger": "api", "actor": "user:x", **values}
    Run.objects.bulk_create(
        Run(kind="workflow", workflow_version=like.workflow_version, created_at=now, finished_at=now, **given)
        for _ in range(count)
    )


@pytest.mark.parametrize(
    ("query", "one"),
    [
        ("status=failed", "failed"), ("status=dead_letter", "failed"), ("q=ORDER%2F88", "failed"),
        ("name=broken", "failed"), ("q=broken", "failed"), ("key=order%2F", "succeeded"), ("q=order%2F1", "succeeded"),
        ("tag=region%3Deu", "succeeded"),
        ("kind=workflow&name=pause&version=1.0.0", "waiting"), ("status=waiting&since=1h", "waiting"),
    ],
)  # fmt: skip
def test_each_filter_finds_its_run_and_nothing_else(reader: Reader, runs: Seeded, query: str, one: str) -> None:
    assert found(reader(), query) == {getattr(runs, one)}


def test_a_search_never_looks_inside_a_title(reader: Reader, runs: Seeded) -> None:
    assert found(reader(), "q=88213") == set()
    assert found(reader(), "q=%25") == set(), "a sign of a pattern is a text"
    assert found(reader(), f"q={runs.failed}") == {runs.failed}


@pytest.mark.parametrize("query", ["version=9.9.9", "code=none", "group=none", "tag=none", "queue=none", "name=none"])
def test_what_nothing_has_finds_nothing(reader: Reader, runs: Seeded, query: str) -> None:
    assert found(reader(), query) == set()
    assert reader().get(f"/batches/new/?verb=retry&{query}").status_code == 200


def test_a_group_of_failures_and_an_error_code_find_the_runs_that_rest_so(reader: Reader, runs: Seeded) -> None:
    grouping.group()
    group = FailureGroup.objects.get(name="broken")
    client = reader()
    assert found(client, f"group={group.fingerprint}") == {runs.failed}
    assert found(client, f"code={group.code}&name=broken") == {runs.failed}
    assert "Retry 1 run?" in text(client, f"/batches/new/?verb=retry&group={group.fingerprint}")
    operations.resolve(runs.failed, actor="user:test", reason="test")
    assert found(client, f"group={group.fingerprint}") == set()


def test_a_queue_of_few_runs_is_found(reader: Reader, runs: Seeded) -> None:
    Run.objects.filter(pk=runs.waiting).update(queue="mail")
    assert found(reader(), "queue=mail") == {runs.waiting}


def test_a_time_window_can_end(reader: Reader, runs: Seeded) -> None:
    Run.objects.filter(pk=runs.failed).update(created_at=timezone.now() - timedelta(minutes=30))
    until = (timezone.now() - timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M")
    assert found(reader(), f"since=1h&until={until}") == {runs.failed}


@pytest.mark.parametrize("query", ["since=soon", "until=later", "until=24h", "parent=x", "status=x", "colour=red"])
def test_what_is_not_understood_shows_no_run(reader: Reader, runs: Seeded, query: str) -> None:
    page = text(reader(), f"/runs/?{query}", 400)
    assert query.partition("=")[0] in page
    assert str(runs.failed) not in page


def test_counts_are_of_the_filter_and_say_when_nobody_counted_further(
    reader: Reader, runs: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    facets = {facet.label: facet.count for facet in reader().get("/runs/?name=broken").context["facets"]}
    assert (facets[""], facets["failed"], facets["succeeded"]) == ("1", "1", "0")
    monkeypatch.setattr(filtering, "COUNT_LIMIT", 3)
    many(5)
    facets = {facet.label: facet.count for facet in reader().get("/runs/").context["facets"]}
    assert (facets["succeeded"], facets["failed"]) == ("3+", "1")


def test_what_takes_too_long_to_count_is_left_out_and_to_read_is_said(
    reader: Reader, runs: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtering, "TALLY_SECONDS", 0.001)
    monkeypatch.setattr(filtering, "BY_STATE_SECONDS", 0.001)
    monkeypatch.setattr(filtering, "_compiled", lambda part: (SLOWLY, ()))
    assert str(runs.failed) in text(reader(), "/runs/")

    def slow(*_: object, **__: object) -> None:
        raise TooSlow

    monkeypatch.setattr(queries, "runs", slow)
    assert "could not be read in time" in text(reader(), "/runs/", 503)


def test_nothing_matches_says_which_filter_to_drop_and_how_many_match_then(reader: Reader, runs: Seeded) -> None:
    page = reader().get("/runs/?status=failed&tag=region%3Deu&name=broken")
    assert "No run matches" in page.content.decode()
    assert [(title, count.number) for title, _, _, count in page.context["hints"]] == [("tag", 1)]


def test_first_use_leads_to_a_start(reader: Reader, database: None) -> None:
    page = text(reader(), "/runs/")
    assert "No runs yet" in page
    assert 'href="/workflows/"' in page


def test_pages_there_and_back_repeat_and_skip_nothing_while_runs_come(reader: Reader, runs: Seeded) -> None:
    many(130)
    before = list(Run.objects.order_by("-id").values_list("id", flat=True))
    client, seen = reader(), []
    page = client.get("/runs/").context
    while True:
        seen += [run.id for run in page["page"].items]
        many(3)
        if not page["older"]:
            break
        page = client.get(f"/runs/?{page['older']}").context
    assert seen == before
    back = [run.id for run in page["page"].items]
    while page["newer"]:
        page = client.get(f"/runs/?{page['newer']}").context
        back = [run.id for run in page["page"].items] + back
        many(1)
    assert len(back) == len(set(back))
    assert back[-len(before) :] == before


def test_a_page_before_the_newest_run_is_the_first_one(reader: Reader, runs: Seeded) -> None:
    client = reader()
    newest = client.get("/runs/").context["page"].items[0]
    assert client.get(f"/runs/?before={encode(newest.id)}").context["page"].items[0].id == newest.id


def test_the_place_is_said_only_where_it_is_known(reader: Reader, runs: Seeded) -> None:
    many(60)
    client = reader()
    first = client.get("/runs/").context
    assert first["position"] == f"1\u201350 of {Run.objects.count()}"
    assert client.get(f"/runs/?{first['older']}").context["position"] == f"{Run.objects.count() - 50} runs"


def test_a_poll_renews_only_the_cells_that_changed_and_keeps_boxes_and_links(reader: Reader, runs: Seeded) -> None:
    client = reader()
    poll = client.get("/runs/?status=waiting").context["poll_url"]
    assert client.get(poll).status_code == 204
    operations.cancel(runs.waiting, actor="user:test", reason="test")
    body = client.get(poll).content.decode()
    assert f'<td id="status-{runs.waiting}" hx-swap-oob="true">' in body, "it stays, and says what it is now"
    assert "Cancelled" in body
    for kept in (
        f'id="run-{runs.waiting}"',
        f'id="pick-{runs.waiting}"',
        'type="checkbox"',
        f'id="menu-{runs.waiting}"',
    ):
        assert kept not in body
    following = re.search(r'hx-get="([^"]+)"', body)
    assert following
    assert client.get(following[1].replace("&amp;", "&")).status_code == 204


def test_progress_inside_a_run_is_a_change(reader: Reader, runs: Seeded) -> None:
    run_id = start_workflow("pause", {})
    client = reader()
    poll = client.get("/runs/").context["poll_url"]
    work_until_idle()
    assert f"steps-{run_id}" in client.get(poll).content.decode()


def test_a_later_page_is_renewed_too_and_counts_no_news(reader: Reader, runs: Seeded) -> None:
    many(60)
    client = reader()
    older = client.get("/runs/").context["older"]
    poll = client.get(f"/runs/?{older}").context["poll_url"]
    many(2)
    assert client.get(poll).status_code == 204
    operations.cancel(runs.waiting, actor="user:test", reason="test")
    assert "new run" not in client.get(poll).content.decode()


@pytest.mark.parametrize("query", ["rows=%00%ff&h=zz&top=1", "rows=AAAA&v=x", "rows=" + "A" * 4000, "top=1"])
def test_a_poll_that_makes_no_sense_is_answered(reader: Reader, runs: Seeded, query: str) -> None:
    assert reader().get(f"/runs/live/?{query}").status_code in (200, 204)


def test_the_poll_asks_the_same_few_questions_however_many_runs(reader: Reader, runs: Seeded) -> None:
    client = reader()
    counts = []
    for _ in range(2):
        poll = client.get("/runs/").context["poll_url"]
        with CaptureQueriesContext(connection) as asked:
            assert client.get(poll).status_code == 204
        counts.append(len(asked))
        many(40)
    assert counts[0] == counts[1] <= 10


def test_the_page_asks_the_same_questions_however_many_rows(reader: Reader, runs: Seeded) -> None:
    client = reader()
    client.get("/runs/")
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as asked:
            client.get("/runs/")
        counts.append(len(asked))
        many(40)
        start_action("test-echo", {"value": 1})
    assert abs(counts[0] - counts[1]) <= 1
    assert counts[1] <= 24


def test_links_to_runs_carry_the_list_and_find_the_neighbours(reader: Reader, runs: Seeded) -> None:
    page = text(reader(), "/runs/?kind=workflow&status=succeeded")
    link = re.search(rf'href="(/runs/{runs.succeeded}/\?list=[^"]+)"', page)
    assert link
    assert parse_qs(urlsplit(link[1]).query)["list"] == ["status=succeeded&kind=workflow"]
    order = list(Run.objects.filter(kind="workflow").order_by("-id").values_list("id", flat=True))
    assert queries.neighbours(RunFilter(kind="workflow"), order[1]) == (order[0], order[2])
    assert queries.neighbours(RunFilter(kind="workflow"), order[0])[0] is None


def test_a_view_is_saved_listed_and_deleted_by_its_owner_alone(reader: Reader, runs: Seeded) -> None:
    client = reader()
    answer = client.post("/runs/views/", {"name": "Failed orders", "query": "status=failed&name=order"})
    assert (answer.status_code, answer["Location"]) == (303, "/runs/?status=failed&name=order")
    view = SavedView.objects.get()
    assert "Failed orders" in text(client, "/runs/")
    assert "Failed orders" not in text(reader("Viewer"), "/runs/")
    assert reader("Viewer").post(f"/runs/views/{view.pk}/delete/").status_code == 404
    assert client.post(f"/runs/views/{view.pk}/delete/").status_code == 303
    assert not SavedView.objects.exists()


@pytest.mark.parametrize(
    ("name", "query"),
    [("", "status=failed"), ("x" * 61, "status=failed"), ("x", ""), ("x", "status=bogus"), ("twice", "q=a")],
)
def test_a_view_that_cannot_be_kept_is_refused_with_a_reason(
    reader: Reader, runs: Seeded, name: str, query: str
) -> None:
    client = reader()
    client.post("/runs/views/", {"name": "twice", "query": "q=b"})
    client.post("/runs/views/", {"name": name, "query": query})
    assert SavedView.objects.count() == 1
    assert "was not saved" in text(client, "/runs/")


def test_the_fragment_names_the_address_without_empty_fields(reader: Reader, runs: Seeded) -> None:
    answer = reader().get("/runs/?q=&kind=&status=failed&since=", headers={"hx-request": "true"})
    assert answer["HX-Push-Url"] == "/runs/?status=failed"
    assert "<main" not in answer.content.decode()
    assert "HX-Request" in answer["Vary"]


def test_the_call_for_a_shell_asks_the_api_the_same_and_holds_no_secret(reader: Reader, runs: Seeded) -> None:
    curl = reader().get("/runs/?status=failed&since=24h&q=it's").context["curl"]
    assert "$DOTDO_API_KEY" in curl
    assert "status=failed" in curl
    assert "it%27s" in curl
    query = re.search(r"\?([^']+)'", curl)
    assert query
    assert reader().get(f"/api/v1/runs?{query[1]}").status_code == 200


def test_bulk_boxes_are_for_those_who_may(reader: Reader, runs: Seeded) -> None:
    assert 'name="run"' in text(reader(), "/runs/")
    page = text(reader("Viewer"), "/runs/")
    assert 'name="run"' not in page
    assert 'name="verb"' not in page


def test_text_that_people_typed_stays_text(reader: Reader, runs: Seeded) -> None:
    Run.objects.filter(pk=runs.failed).update(title="\u202e<b>bold</b>")
    page = text(reader(), "/runs/?q=%3Cscript%3E&name=%E2%80%AEx")
    assert "<script>" not in page.replace("<script src", "")
    page = text(reader(), "/runs/")
    assert "<b>bold" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize("few", [0, filtering.FEW])
@pytest.mark.parametrize("label", filtering.RARE)
def test_a_run_with_a_rare_reason_is_found_by_whichever_index(
    runs: Seeded, monkeypatch: pytest.MonkeyPatch, label: str, few: int
) -> None:
    monkeypatch.setattr(filtering, "FEW", few)
    Run.objects.filter(pk=runs.failed).update(reason=label)
    assert [run.pk for run in filtering.in_order(RunFilter(label=label))] == [runs.failed]
