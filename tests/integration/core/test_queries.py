"""What people read of a run: in the right order, with dates, in words."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.support.documents import publish
from tests.support.engine import finished, shown, start_action, start_workflow, work_until_idle
from workflows import claim, queries
from workflows.models import Attempt, Step
from workflows.queries import detail

pytestmark = pytest.mark.usefixtures("handlers")


def test_the_audit_trail_is_read_in_the_order_of_its_chain() -> None:
    name = publish(
        "ordered", "do: [{a: {call: test-echo, with: {value: 1}}}, {b: {call: test-echo, with: {value: 2}}}]"
    )
    for _ in range(5):
        run = finished(start_workflow(name, {}))
        events = queries.audit(run.id)
        assert [event.seq for event in events] == list(range(len(events)))
        assert [event.kind for event in events][-2:] == ["step.succeeded", "run.succeeded"]
    failed = finished(start_action("test-refuses", {}))
    assert [event.kind for event in queries.audit(failed.id)][-2:] == ["step.failed", "run.failed"]


def test_pages_of_the_audit_trail_neither_repeat_nor_skip() -> None:
    name = publish("paged", "do: [{a: {call: test-echo, with: {value: 1}}}, {b: {call: test-echo, with: {value: 2}}}]")
    run = finished(start_workflow(name, {}))
    whole = queries.audit(run.id)
    pages = [queries.audit(run.id, after=number, limit=1)[0] for number in range(len(whole))]
    assert pages == whole


def test_a_first_step_says_what_it_is_before_it_has_been_recorded() -> None:
    step = shown(start_action("test-echo", {"value": 1})).steps[0]
    assert (step.kind, step.key, step.function) == ("call", "/do/0/test-echo", "test-echo:1.0.0")
    name = publish("first", "do: [{a: {call: test-echo, with: {value: 1}}}]")
    run_id = start_workflow(name, {})
    before = shown(run_id).steps[0]
    after = finished(run_id).steps[0]
    assert (before.key, before.function, before.idempotency_key) == (after.key, after.function, after.idempotency_key)


def test_a_crashed_attempt_says_when_it_began() -> None:
    run_id = start_action("test-echo", {"value": 1})
    held = claim.take("default", 2, uuid.uuid4(), 0.0)
    assert held is not None
    claim.reap()
    attempt = shown(run_id).steps[0].attempts[0]
    assert attempt.outcome == "crashed"
    assert attempt.started_at is not None


def test_of_two_queues_the_one_that_has_waited_longest_is_served_first() -> None:
    for queue in ("b", "a"):
        run_id = start_action("test-echo", {"value": 1})
        Step.objects.filter(run=run_id).update(queue=queue)
    assert [queue for queue, _, _ in claim.pairs()] == ["b", "a"]


def test_a_wait_of_days_says_on_which_day_it_ends() -> None:
    run_id = start_workflow(publish("days", "do: [{nap: {wait: P3D}}, {a: {set: {b: 1}}}]"), {})
    work_until_idle(patience=0.01)
    day = (timezone.now() + timedelta(days=3)).strftime("%-d %b")
    assert f"waiting until {day}, " in shown(run_id).now


def test_an_outline_reads_no_attempts_of_steps_that_it_does_not_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detail, "STEP_LIMIT", 1)
    name = publish("tried", "do: [{a: {call: test-echo, with: {value: 1}}}, {b: {call: test-echo, with: {value: 2}}}]")
    run = finished(start_workflow(name, {})).id
    first, *others = Step.objects.filter(run=run).order_by("id").values_list("id", flat=True)
    for step in (first, *others):
        for number in range(2, 52):
            Attempt.objects.create(step_id=step, number=number, outcome="failed", started_at=Now(), finished_at=Now())
    with CaptureQueriesContext(connection) as captured:
        outline = queries.outline(run)
    assert outline
    assert [
        (line.id, {attempt.number for attempt in line.attempts} >= set(range(2, 52))) for line in outline.steps
    ] == [(first, True)]
    (asked,) = [query["sql"] for query in captured if 'FROM "attempt"' in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({asked}) AS asked")  # what was asked for, once more
        assert cursor.fetchone()[0] < 60, "those of other steps stay where they are"
