"""What people read of a run: in the right order, with dates, in words."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.support.documents import publish
from tests.support.engine import finished, shown, start_action, start_workflow, work_until_idle
from workflows import queries

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


def test_a_wait_of_days_says_on_which_day_it_ends() -> None:
    run_id = start_workflow(publish("days", "do: [{nap: {wait: P3D}}, {a: {set: {b: 1}}}]"), {})
    work_until_idle(patience=0.01)
    day = (timezone.now() + timedelta(days=3)).strftime("%-d %b")
    assert f"waiting until {day}, " in shown(run_id).now
