"""What goes wrong between a handler and its record: lost connections, crashes, values too large for a row."""

import time
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from pytest_django import Settings

from audit.models import AuditEvent
from audit.verify import verify
from tests.support.documents import publish
from tests.support.engine import finished, shown, start_action, start_workflow, work_until_idle
from tests.support.interleaving import Doing
from workflows import claim, driving, execution, job, operations, queries, worker
from workflows.claim import Claimed
from workflows.engine.messages import Advance, Message
from workflows.identity import Identity
from workflows.job import Job
from workflows.models import Entry, Step

pytestmark = pytest.mark.usefixtures("handlers")
Superuser = psycopg.Connection[tuple[Any, ...]]


def hurry() -> None:
    Step.objects.filter(state="ready").update(due_at="2020-01-01T00:00:00Z")


def crash(times: int) -> None:
    """Claim the one step and die, so many times."""
    for _ in range(times):
        hurry()
        assert claim.take("default", 2, uuid.uuid4(), 0.0)
        claim.reap()
    hurry()


def settled(run_id: uuid.UUID) -> queries.RunDetail:
    """Work, through all the back-offs after crashes."""
    for _ in range(6):
        work_until_idle()
        claim.reap()
        hurry()
    return shown(run_id)


def test_a_query_that_outlives_its_handler_is_cancelled_so_that_the_timeout_is_recorded_and_counted() -> None:
    begun = time.monotonic()
    run = finished(start_action("test-slow-query", {}))
    assert time.monotonic() - begun < 4, "the query held the lock of its step"
    assert (run.label, [view.outcome for view in run.steps[0].attempts]) == ("timed_out", ["timed_out"] * 2)


@pytest.mark.parametrize("how", ["close", "kill"])
def test_a_handler_that_breaks_its_own_connection_each_time_is_parked(how: str) -> None:
    run = settled(start_action("test-loses-connection", {"how": how}))
    assert (run.state, run.label, run.steps[0].crashes) == ("failed", "poisoned", 3)


def test_a_connection_lost_once_in_a_transactional_handler_costs_nothing_but_time(tmp_path: Path) -> None:
    run_id = start_action("test-loses-connection", {"how": "kill", "marker": str(tmp_path / "m")})
    assert settled(run_id).output == "ok"


def test_a_connection_lost_after_an_outside_call_does_not_repeat_the_call(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    run = finished(start_action("test-outage", {"file": str(file)}))
    assert (run.state, run.output, file.read_text()) == ("succeeded", "ok", "once\n")


def test_a_database_that_went_away_is_waited_for_and_the_step_goes_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = start_action("test-echo", {"value": 1})
    load = job.load

    def cut(held: Claimed) -> Job:
        monkeypatch.setattr(driving, "load", load)
        connection.connection.close()
        return load(held)

    monkeypatch.setattr(driving, "load", cut)
    worker.work()
    step = shown(run_id).steps[0]
    assert (step.state, step.crashes) == ("succeeded", 0), "no lease had to run out"


def test_a_result_that_the_engine_cannot_digest_parks_the_step_instead_of_repeating_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = Job.advance

    def broken(held: Job, message: Message) -> Advance:
        if type(message).__name__ == "Done":
            raise RuntimeError("a bug")
        return advance(held, message)

    monkeypatch.setattr(Job, "advance", broken)
    file = tmp_path / "calls"
    run = settled(start_action("test-outside", {"file": str(file)}))
    assert (run.state, run.error["code"]) == ("failed", "engine_error")
    assert "a bug" in run.error["detail"]
    assert len(file.read_text().splitlines()) == 1


def test_a_step_that_kills_its_workers_before_any_call_is_parked_and_can_be_retried() -> None:
    run_id = start_workflow(publish("killer", "do: [{a: {set: {b: 1}}}]"), {})
    crash(4)
    work_until_idle()
    run = shown(run_id)
    assert (run.label, run.steps[0].state) == ("poisoned", "failed")
    assert "4 times" in run.now
    operations.retry(run_id, actor="user:test", reason="fixed")
    assert finished(run_id).output == {"b": 1}
    assert verify().broken == []


@pytest.mark.parametrize("first", ["wait: {milliseconds: 1}", "set: {b: 1}", "set: '${ error(1) }'"])
def test_a_run_whose_first_worker_died_begins_again(first: str) -> None:
    run_id = start_workflow(publish("again", f"do: [{{a: {{{first}}}}}]"), {})
    crash(1)
    run = finished(run_id)
    assert (run.state, run.steps[0].crashes) == ("failed" if "error" in first else "succeeded", 1)


def test_a_timer_that_kills_its_workers_is_parked() -> None:
    run_id = start_workflow(publish("timer", "do: [{nap: {wait: {hours: 1}}}]"), {})
    work_until_idle()
    crash(3)
    work_until_idle()
    assert shown(run_id).label == "poisoned"


def test_the_context_survives_a_first_call_that_was_poisoned() -> None:
    run_id = start_workflow(publish("kept", """
do:
  - remember: {set: {x: 1}, export: {as: "${ {seen: 7} }"}}
  - call: {call: test-echo, with: {value: 1}}
  - last: {set: {seen: "${ $context.seen }"}}
"""), {})  # fmt: skip
    crash(3)
    work_until_idle()
    assert shown(run_id).steps[0].idempotency_key, "what to ask the receiver about"
    operations.retry(run_id, actor="user:test", reason="fixed")
    assert finished(run_id).output == {"seen": 7}


def test_a_context_of_null_is_stored_as_such() -> None:
    run_id = start_workflow(publish("nothing", """
do:
  - some: {set: {x: 1}, export: {as: "${ {seen: 1} }"}}
  - none: {call: test-echo, with: {value: 1}, export: {as: "${ null }"}}
  - nap: {wait: {milliseconds: 20}}
  - last: {set: {seen: "${ $context }"}}
"""), {})  # fmt: skip
    assert finished(run_id).output == {"seen": None}


def test_a_definite_refusal_with_a_long_answer_still_frees_the_effect_key() -> None:
    run_id = start_action("test-says-no", {"message": "no"})
    before = finished(run_id).steps[0].idempotency_key
    operations.retry(run_id, actor="user:test", reason="again")
    assert finished(run_id).steps[0].idempotency_key != before


def test_an_error_too_large_for_its_row_is_still_said_in_words() -> None:
    run = finished(start_action("test-says-no", {"message": "ü" * 1_000, "retryable": True}))
    assert "ü" in run.now
    parked = finished(start_action("test-says-no", {"message": "ß" * 1_000}))
    assert "ß" in parked.now
    assert "ß" in queries.runs(queries.RunFilter()).items[0].now


def test_a_branch_that_moved_before_a_first_task_was_recorded_costs_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = start_workflow(publish("moved", "do: [{nap: {wait: {seconds: 60}}}]"), {})
    load = job.load

    def moving(held: Claimed) -> Job:
        monkeypatch.setattr(driving, "load", load)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE branch SET revision = revision + 1")
        return load(held)

    monkeypatch.setattr(driving, "load", moving)
    work_until_idle()
    run = shown(run_id)
    assert (run.reason, run.steps[0].crashes) == ("timer", 0)


def test_a_blocked_run_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "known", lambda job: False)
    run_id = start_action("test-echo", {"value": 1})
    for _ in range(3):
        work_until_idle()
        hurry()
    assert [event.kind for event in queries.audit(run_id)] == ["run.started", "run.blocked"]
    monkeypatch.undo()
    assert finished(run_id).state == "succeeded"
    assert verify().broken == []


def test_merging_cannot_grow_an_entry_past_the_limit_of_a_value() -> None:
    publish("grow", "do: [{s: {call: datastore.merge, with: {key: k, value: '${ $workflow.input }'}}}]")
    assert finished(start_workflow("grow", {"a": "x" * 600_000})).state == "succeeded"
    run = finished(start_workflow("grow", {"b": "x" * 600_000}))
    assert (run.state, run.error["code"]) == ("failed", "value_refused")
    assert Entry.objects.get(key="k").version == 1


def test_names_that_would_not_fit_a_steps_row_are_refused_before_anything_is_published() -> None:
    inner = "{x: {call: test-echo, with: {value: 1}}}"
    for depth in range(10):
        inner = f"{{{'n' * 60}{depth}: {{do: [{inner}]}}}}"
    with pytest.raises(operations.DefinitionInvalid, match="problem"):
        publish("long", f"do: [{inner}]")


def test_after_a_call_on_another_queue_a_run_returns_to_its_own() -> None:
    body = "do: [{a: {call: test-far}}, {nap: {wait: {milliseconds: 1}}}, {b: {call: datastore.get, with: {key: k}}}]"
    run = finished(start_workflow(publish("routed", body), {}))
    assert run.state == "succeeded"
    assert list(Step.objects.order_by("id").values_list("queue", flat=True)) == ["far", "default", "default"]


def test_verifying_reads_long_trails_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.walking.CHUNK", 3)
    for number in range(4):
        start_action("test-echo", {"value": number})
    work_until_idle()
    result = verify()
    assert (result.events, result.broken) == (AuditEvent.objects.count(), [])


FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'no room for branches' USING ERRCODE = 'disk_full'; END$$;
CREATE TRIGGER full_disk BEFORE UPDATE ON branch EXECUTE FUNCTION full_disk()
"""


def test_a_result_that_cannot_be_recorded_for_longer_than_a_lease_stays_with_its_worker(
    superuser: Superuser, settings: Settings, tmp_path: Path
) -> None:
    settings.LEASE_SECONDS = 1.0
    file, me = tmp_path / "calls", Identity()
    run_id = start_action("test-outside", {"file": str(file)})
    held = claim.take("default", 2, me.id, settings.LEASE_SECONDS)
    assert held is not None
    superuser.execute(FULL)
    try:
        working = Doing(lambda: driving.drive(held, me, time.monotonic() + 20))
        for _ in range(30):
            time.sleep(0.1)
            assert claim.reap() == []
    finally:
        superuser.execute("DROP FUNCTION full_disk CASCADE")
    working.done()
    assert (shown(run_id).state, file.read_text().count("\n")) == ("succeeded", 1)
    assert shown(run_id).steps[0].crashes == 0
