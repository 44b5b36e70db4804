"""What charts are drawn from: exact after crashes and absence, never lowered, and never a reading of all runs."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from audit import sealing
from tests.support.documents import publish
from tests.support.engine import start_action, start_workflow, work_until_idle
from tests.support.pages import BROKEN
from workflows import operations, queries
from workflows.models import Gauge, Rollup, RollupPlace, Run
from workflows.queries import rollups as read
from workflows.retention.removal import remove
from workflows.rollups import chores, counting, gauges, slots

pytestmark = pytest.mark.usefixtures("handlers")


def counted(subject: str = "runs", name: str = "") -> dict[str, int]:
    rows = Rollup.objects.filter(subject=subject, name=name, span=300)
    found: dict[str, int] = {}
    for row in rows:
        found[row.outcome] = found.get(row.outcome, 0) + row.count
    return found


def test_what_ended_is_counted_once_however_often_somebody_looks() -> None:
    publish("broken", BROKEN)
    failed = start_workflow("broken", {})
    for _ in range(3):
        start_action("test-echo", {"value": 1})
    work_until_idle(20)
    counting.count()
    counting.count()
    assert counted() == {"succeeded": 3, "failed": 1}
    assert counted("workflow", "broken") == {"failed": 1}
    assert counted("action", "test-echo") == {"succeeded": 4}
    assert counted("action", "test-refuses") == {"failed": 1}
    operations.cancel(failed, actor="user:test", reason="test")
    counting.count()
    assert counted() == {"succeeded": 3, "failed": 1, "cancelled": 1}


def test_a_failure_that_was_repaired_stays_counted_and_so_do_runs_that_are_deleted() -> None:
    done = [start_action("test-echo", {"value": 1}) for _ in range(2)]
    work_until_idle(5)
    counting.count()
    with transaction.atomic():
        remove(done)
    counting.count()
    assert not Run.objects.filter(pk__in=done).exists()
    assert counted() == {"succeeded": 2}
    assert queries.performance("action", since=timezone.now() - timedelta(hours=1))["test-echo"].succeeded == 2


def test_a_crash_in_the_middle_counts_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    start_action("test-echo", {"value": 1})
    work_until_idle(5)

    class Broken:
        def rows(self, _values: object) -> None:
            raise RuntimeError("the power failed")

    with monkeypatch.context() as patched:
        patched.setattr(counting, "_MOVE", Broken())
        with pytest.raises(RuntimeError):
            counting.count()
    assert counted() == {}
    counting.count()
    assert counted() == {"succeeded": 1}


def test_who_was_away_for_long_goes_on_a_page_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        start_action("test-echo", {"value": 1})
    work_until_idle(5)
    monkeypatch.setattr(counting, "PAGE", 3)
    before = RollupPlace.objects.filter(pk=1).values_list("event", flat=True).first() or 0
    assert counting.count(seconds=0) == 3
    assert RollupPlace.objects.get(pk=1).event == before + 3
    counting.count()
    assert counted() == {"succeeded": 4}


def test_who_has_more_to_count_does_not_rest_as_long_as_who_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    for full, rest in ((counting.PAGE, 16.0), (2 * counting.PAGE, 16.0), (counting.PAGE + 1, 160.0), (0, 160.0)):
        monkeypatch.setattr(counting, "count", lambda full=full: full)
        chores.count()
        monkeypatch.setitem(chores._lasted, "count", 8.0)
        assert chores.count_every() == rest

    def fail() -> None:
        raise RuntimeError("the power failed")

    chores._behind[0] = True
    monkeypatch.setattr(counting, "count", fail)
    with pytest.raises(RuntimeError):
        chores.count()
    monkeypatch.setitem(chores._lasted, "count", 8.0)
    assert chores.count_every() == 160.0


def test_an_event_that_is_committed_late_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer takes an id and hangs, another one commits behind it: nothing is counted before the first has ended."""
    monkeypatch.setattr(sealing, "PATIENCE_SECONDS", 0.05)
    start_action("test-echo", {"value": 1})
    work_until_idle(5)
    with psycopg.connect(**connection.get_connection_params()) as writer:
        writer.execute("LOCK TABLE audit_event IN ROW EXCLUSIVE MODE")  # as whoever is about to insert does
        assert counting.count() == 0
        assert counted() == {}
    counting.count()
    assert counted() == {"succeeded": 1}


def test_a_percentile_is_right_to_about_a_tenth() -> None:
    run_id = start_action("test-echo", {"value": 1})
    Run.objects.filter(pk=run_id).update(created_at=timezone.now() - timedelta(seconds=100))
    work_until_idle(5)
    counting.count()
    now = timezone.now()
    found = read.spans(now - timedelta(hours=1), now + timedelta(minutes=1), span=300)
    durations = read.added([span.durations for span in found.values()])
    assert sum(durations) == 1
    assert slots.percentile(durations, 0.5) == pytest.approx(100_000, rel=0.2)


def test_samples_of_a_minute_and_of_an_hour_are_kept_together() -> None:
    start_action("test-echo", {"value": 1})
    gauges.sample()
    gauges.sample()
    row = Gauge.objects.get(name="pending", span=3_600)
    assert (row.samples, row.total, row.highest) == (2, 2.0, 1.0)
    assert Gauge.objects.get(name="due", queue="default", span=3_600).highest == 1
    assert Gauge.objects.get(name="oldest", queue="default", span=3_600).highest >= 0


def test_what_no_chart_shows_any_more_goes() -> None:
    old = timezone.now() - timedelta(days=4)
    for span in (300, 3_600):
        Rollup.objects.create(subject="runs", span=span, begins_at=old, outcome="failed", count=1)
        Gauge.objects.create(name="running", span=60 if span == 300 else span, begins_at=old)
    chores.tidy()
    assert list(Rollup.objects.values_list("span", flat=True)) == [3_600]
    assert list(Gauge.objects.values_list("span", flat=True)) == [3_600]


def test_counting_reads_a_piece_of_the_trail_and_single_runs_and_steps() -> None:
    """With tables of any size: no step of the plan reads a whole table."""
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("PREPARE counting AS " + counting._COUNT.text)
        cursor.execute(f"EXPLAIN EXECUTE counting(1, 2, '{{{','.join(counting.KINDS)}}}', '{{300}}', '{{3}}')")
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("DEALLOCATE counting")
        cursor.execute("RESET enable_seqscan")
    for table in ("run", "step", "audit_event"):
        assert f"Seq Scan on {table} " not in plan
    assert "step_once" in plan
    assert "audit_event_pkey" in plan
