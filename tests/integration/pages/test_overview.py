"""The first page is polled by everybody: it says what is wrong, counts nothing by reading runs, and costs the same."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.support.rows import crowd, run, step
from workflows import queries
from workflows.grouping import chores
from workflows.models import Branch, Chore, Gauge, Queue, Rollup, Run, Worker
from workflows.queries import rollups
from workflows.queries.labels import UNRESOLVED
from workflows.queries.overview import _FLIGHT, _NOW
from workflows.rollups import counting, gauges

pytestmark = pytest.mark.usefixtures("handlers")
Reader = Callable[..., Client]


def page(reader: Reader, query: str = "", role: str = "Operator") -> str:
    response = reader(role).get(f"/{query}")
    assert response.status_code == 200
    return response.content.decode()


def failed(message: str = "card 1 declined") -> Run:
    error = {"code": "declined", "message": message, "retryable": False}
    made = run("failed", "dead_letter", stopped=timedelta(seconds=1), error=error)
    step(made, "charge", "failed", error=error)
    return made


def worker(**values: object) -> Worker:
    now = timezone.now()
    fields: dict[str, object] = {"host": "h", "pid": 1, "code_version": "1", "started_at": now, "heartbeat_at": now}
    return Worker.objects.create(**(fields | values))


def ended(outcome: str, count: int, *, minutes: int = 1, durations: list[int] | None = None) -> None:
    for span in (300, 3_600, 86_400):
        at = rollups.floor(timezone.now() - timedelta(minutes=minutes), span)
        Rollup.objects.create(
            subject="runs", span=span, begins_at=at, outcome=outcome, count=count, durations=durations or []
        )


def test_workers_are_for_those_who_may_see_them(reader: Reader) -> None:
    worker()
    run("succeeded", "", stopped=timedelta(seconds=1))
    assert "1 of 1 workers healthy" in page(reader, role="Viewer")
    assert "1 worker at work" in page(reader, role="Viewer")
    client = reader(None)
    User.objects.get(username="nobody").user_permissions.set(Permission.objects.filter(codename="view_run"))
    html = client.get("/").content.decode()
    assert "Nothing needs a person." in html
    for words in ("workers healthy", "last heartbeat", "worker at work", "1 worker,"):
        assert words not in html


def test_first_use_says_what_to_do(reader: Reader) -> None:
    html = page(reader)
    assert "No worker is running" in html
    assert "No runs yet" in html
    assert "Nothing succeeded in this time" in html
    assert "Needs attention" not in html


def test_a_cause_with_open_runs_needs_attention_and_offers_a_retry_of_all(reader: Reader) -> None:
    failed()
    failed("card 2 declined")
    worker()
    chores.group()
    html = page(reader)
    assert "declined: card &lt;n&gt; declined</a>" in html
    assert "Retry 2" in html
    assert "Something needs a person" in html
    assert "Retry 2" not in page(reader, role="Viewer")


@pytest.mark.parametrize("window", ["1h", "24h", "7d", "30d", "nonsense"])
def test_each_window_shows_what_ended_and_says_it_in_words(reader: Reader, window: str) -> None:
    ended("succeeded", 98, durations=[0] * 52 + [90, 8])
    ended("failed", 2)
    html = page(reader, f"?window={window}")
    assert "100 ended: 98 succeeded (98 %), 2 failed, 0 cancelled" in html
    assert "half took up to" in html
    assert "2 % of 100" in html


def test_every_chart_is_also_a_table(reader: Reader) -> None:
    ended("succeeded", 7, durations=[0] * 40 + [7])
    html = page(reader, "?table=1")
    assert html.count('<table class="tbl dense">') == 3
    assert '<td class="num">7</td>' in html
    assert "Hide tables" in html
    assert '<table class="tbl dense">' not in page(reader)


def test_the_six_numbers_lead_to_what_they_count(reader: Reader) -> None:
    run("running")
    waiting = run("waiting", "back_off")
    step(waiting, "charge", "ready", failures=1, due=timedelta(seconds=50))
    run("waiting", "person")
    gauges.sample()
    html = page(reader)
    for status in ("running", "pending", "waiting", "retrying", "failed", "succeeded"):
        assert f'href="/runs/?status={status}' in html
    assert "1 on a person" in html
    assert "next attempt" in html
    assert 'aria-label="Running: now 1, at most 1"' in html


def test_what_stands_still_is_said_first(reader: Reader) -> None:
    worker(queues=["other"])
    now = timezone.now()
    Chore.objects.create(name="rollups.count", next_at=now, began_at=now - timedelta(hours=1), error="disk <full>")
    made = run("running")
    step(made, "late", "ready", due=timedelta(minutes=-9), queue="io")
    Queue.objects.create(name="bulk", paused_at=now, paused_by="user:mira")
    Branch.objects.filter(run=made).update(rest="blocked", revision=100)
    html = page(reader)
    assert "No worker serves the queue io" in html
    assert "The housekeeper stands still since" in html
    assert "disk &lt;full&gt;" in html
    assert html.index("No worker serves") < html.index("The housekeeper stands still")
    assert "paused by mira" in html
    health = queries.health()
    assert (health.blocked, list(health.paused)) == (1, [("bulk", "user:mira")])


def test_a_poll_without_news_is_empty_and_news_come_alone(reader: Reader) -> None:
    worker()
    run("running")
    client = reader()
    html = client.get("/").content.decode()
    address = html.split('data-poll hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert client.get(address).status_code in (200, 204)
    run("running")
    answer = client.get(address)
    assert answer.status_code == 200
    assert 'id="flight"' in answer.content.decode()
    assert "window=24h" in answer.content.decode()


def test_counts_are_of_all_runs_or_of_the_last_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        run("waiting", "timer")
    run("waiting", "person")
    gauges.sample()
    found = queries.now_open()
    assert (found.waiting, found.people, found.running) == (5, 1, 0)
    monkeypatch.setattr("workflows.queries.overview.COUNT_LIMIT", 3)
    Gauge.objects.filter(name="waiting").update(highest=900)
    assert queries.now_open().waiting == 900


def test_runs_that_do_something_stand_before_those_that_wait() -> None:
    busy, again = run("running"), run("waiting", "back_off")
    wait, queued = run("waiting", "timer"), run("pending")
    assert [row.id for row in queries.in_flight(9)] == [again.pk, busy.pk, wait.pk, queued.pk]
    assert [row.id for row in queries.in_flight(1)] == [again.pk]


def test_nothing_here_reads_all_runs() -> None:
    crowd()
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
        for statement, types, values in ((_NOW, "int", "9"), (_FLIGHT, "int, int", "9, 9")):
            cursor.execute(f"PREPARE looked ({types}) AS {statement.text}")
            cursor.execute(f"EXPLAIN EXECUTE looked({values})")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            cursor.execute("DEALLOCATE looked")
            assert "run_by_state" in plan
            assert "Seq Scan on run" not in plan
        cursor.execute("RESET enable_seqscan; RESET enable_bitmapscan; RESET enable_sort")


@pytest.mark.parametrize("order", ["-id", "id"])
def test_failures_that_nobody_has_settled_are_found_without_reading_the_others(order: str) -> None:
    crowd()
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
        plan = Run.objects.filter(UNRESOLVED).order_by(order)[:6].explain()
        cursor.execute("RESET enable_seqscan; RESET enable_bitmapscan; RESET enable_sort")
    assert "run_unresolved" in plan


def test_the_page_costs_the_same_for_many_runs_and_groups(reader: Reader) -> None:
    client = reader()
    worker()

    def cost() -> int:
        counting.count()
        chores.group()
        with CaptureQueriesContext(connection) as queried:
            assert client.get("/").status_code == 200
        return len(queried)

    failed("one")
    step(run("running"), "work", "running")
    cost()
    few = cost()
    for word in ("two", "three", "four"):
        failed(word)
        step(run("running"), "work", "running")
    assert cost() == few
