"""Schedules on the clock: publication, starts, downtime, two schedulers, what cannot be started."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from actions.problems import Problem
from audit.models import AuditEvent
from tests.support.documents import publish
from workflows import operations, scheduling, starter
from workflows.models import Run, Schedule, ScheduleFire

pytestmark = pytest.mark.usefixtures("database")

DO = "\ndo: [{a: {set: {b: 1}}}]"
HOUR = timedelta(hours=1)


def scheduled(text: str, name: str = "nightly", version: str = "1.0.0", **metadata: str) -> Schedule:
    head = f"schedule: {text}{DO}"
    publish(name, head, version) if not metadata else _with_metadata(name, head, version, metadata)
    return Schedule.objects.get(workflow__name=name)


def _with_metadata(name: str, body: str, version: str, metadata: dict[str, str]) -> None:
    about = {"dsl": "1.0.3", "namespace": "tests", "name": name, "version": version, "metadata": {"dotdo": metadata}}
    draft = operations.draft_workflow(f"document: {json.dumps(about)}\n{body}", actor="user:test")
    operations.publish_workflow(draft.id, actor="user:test")


def make_due(row: Schedule, ago: timedelta = timedelta()) -> datetime:
    """Move the next moment into the past, as downtime would, and return it."""
    moment = timezone.now() - ago
    Schedule.objects.filter(pk=row.pk).update(next_at=moment)
    return moment


def end(run: Run) -> datetime:
    """End a run behind the engine's back."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE run SET state = 'succeeded', finished_at = now() WHERE id = %s", [run.pk])
    return Run.objects.get(pk=run.pk).finished_at or timezone.now()


def events(kind: str) -> list[dict[str, Any]]:
    return [json.loads(event.data) for event in AuditEvent.objects.filter(kind=kind).order_by("id")]


def test_every_starts_an_interval_after_publication_whether_or_not_the_last_run_has_ended() -> None:
    before = timezone.now()
    row = scheduled("{every: PT1H}")
    assert row.next_at is not None
    assert before + HOUR <= row.next_at <= timezone.now() + HOUR
    assert scheduling.fire_due() == 0
    first = make_due(row)
    assert scheduling.fire_due() == 1
    row.refresh_from_db()
    assert row.next_at == first + HOUR
    make_due(row)
    assert scheduling.fire_due() == 1
    runs = list(Run.objects.order_by("id"))
    assert [(run.state, run.trigger, run.actor, run.input) for run in runs] == [
        ("pending", "schedule", "schedule:nightly", {})
    ] * 2
    assert list(ScheduleFire.objects.order_by("nominal_at").values_list("run", flat=True)) == [run.pk for run in runs]


def test_a_cron_starts_at_the_local_time_of_its_zone_and_says_so_in_the_title() -> None:
    row = scheduled("{cron: '30 6 * * *'}", timezone="Europe/Berlin")
    make_due(row, timedelta(days=2))
    scheduling.fire_due()
    nominal = ScheduleFire.objects.get(skipped=False).nominal_at.astimezone(ZoneInfo("Europe/Berlin"))
    assert (nominal.hour, nominal.minute) == (6, 30)
    assert Run.objects.get().title == f"{nominal:%Y-%m-%d} 06:30:00 {nominal.tzname()}"


def test_after_starts_at_publication_and_then_a_delay_after_the_end_of_each_run() -> None:
    row = scheduled("{after: PT1H}")
    assert scheduling.fire_due() == 1
    row.refresh_from_db()
    assert row.next_at is None
    assert scheduling.wait_seconds() is None  # the run has not ended
    ended = end(Run.objects.get())
    wait = scheduling.wait_seconds()
    assert wait is not None
    assert wait <= 0
    assert scheduling.fire_due() == 0
    row.refresh_from_db()
    assert row.next_at == ended + HOUR
    make_due(row)
    assert scheduling.fire_due() == 1
    assert Run.objects.count() == 2


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every start, as a version that was published by older code might be."""

    def refuse(*_: Any, **__: Any) -> None:
        raise operations.InputInvalid([Problem("/n", "required", "is required")])

    monkeypatch.setattr(starter, "start_workflow", refuse)


def test_a_start_that_was_refused_counts_as_ended_for_after(refused: None) -> None:
    scheduled("{after: PT1H}")
    assert scheduling.fire_due() == 1
    fire = ScheduleFire.objects.get()
    assert fire.run is None
    assert scheduling.fire_due() == 0
    assert Schedule.objects.get().next_at == fire.created_at + HOUR


def test_a_start_that_is_refused_is_recorded_and_the_schedule_goes_on(refused: None) -> None:
    row = scheduled("{every: PT1H}")
    moment = make_due(row)
    scheduling.fire_due()
    assert not Run.objects.exists()
    (event,) = events("schedule.failed")
    assert "does not fit the schema" in event["error"]
    assert event["problems"] == ["/n is required"]
    row.refresh_from_db()
    assert (row.state, row.next_at) == ("active", moment + HOUR)


@pytest.mark.parametrize("text", ["{every: PT1H}", "{cron: '0 * * * *'}", "{after: PT1H}"])
def test_a_workflow_that_needs_an_input_cannot_be_started_by_the_clock(text: str) -> None:
    with pytest.raises(operations.DefinitionInvalid) as error:
        publish("job", f"schedule: {text}\ninput: {{schema: {{document: {{type: object, required: [n]}}}}}}{DO}")
    (problem,) = error.value.problems
    assert problem.pointer == "/schedule"
    assert "have the input {}" in problem.message
    publish("job", "schedule: {on: {any: []}}\ninput: {schema: {document: {type: array}}}" + DO)


def test_a_wrong_call_does_not_hide_that_the_clock_could_never_start_the_workflow() -> None:
    with pytest.raises(operations.DefinitionInvalid) as error:
        publish("job", "schedule: {every: PT1H}\ninput: {schema: {document: {type: object, required: [n]}}}\n"
                "do: [{a: {call: no-such-action}}]")  # fmt: skip
    assert [problem.pointer for problem in error.value.problems] == ["/do/0/a/call", "/schedule"]


@pytest.mark.parametrize("wrong", ["schedule: 5", "input: 5", "input: {schema: 5}", "input: {schema: {document: 5}}"])
def test_a_schedule_beside_an_input_that_cannot_be_read_is_no_fault_of_the_server(wrong: str) -> None:
    given = wrong if wrong.startswith("schedule") else f"schedule: {{every: PT1H}}\n{wrong}"
    with pytest.raises(operations.DefinitionInvalid):
        publish("job", given + DO)


def test_a_schedule_that_cannot_be_read_is_paused_and_does_not_keep_others_waiting() -> None:
    broken, fine = scheduled("{every: PT1H}", "broken"), scheduled("{every: PT1H}", "fine")
    publish("none", DO.strip())
    make_due(broken, timedelta(minutes=2))
    make_due(fine)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE schedule SET version_id = (SELECT v.id FROM workflow_version v JOIN workflow w "
                       "ON w.id = v.workflow_id WHERE w.name = 'none') WHERE id = %s", [broken.pk])  # fmt: skip
    scheduling.fire_due()
    assert [run.name for run in Run.objects.all()] == ["fine"]
    broken.refresh_from_db()
    assert broken.state == "paused"


@pytest.mark.parametrize(("missed", "runs", "skipped"), [("latest", 1, 3), ("skip", 0, 4), ("all", 4, 0)])
def test_after_downtime_the_policy_decides_what_is_made_up_for(missed: str, runs: int, skipped: int) -> None:
    row = scheduled("{every: PT1H}", missed=missed)
    first = make_due(row, 3.5 * HOUR)
    while scheduling.fire_due():
        pass
    assert Run.objects.count() == runs
    assert ScheduleFire.objects.filter(skipped=True).count() == skipped
    row.refresh_from_db()
    assert row.next_at == first + 4 * HOUR
    left_out = events("schedule.skipped")
    assert [event["moments"] for event in left_out] == ([str(skipped)] if skipped else [])


def test_all_starts_for_each_moment_once_with_its_own_key() -> None:
    row = scheduled("{every: PT1H}", missed="all")
    first = make_due(row, 3.5 * HOUR)
    while scheduling.fire_due():
        pass
    assert list(ScheduleFire.objects.order_by("id").values_list("nominal_at", flat=True)) == [
        first + n * HOUR for n in range(4)
    ]
    assert Run.objects.values("key").distinct().count() == 4


def test_two_schedulers_make_one_run_of_one_moment() -> None:
    for number in range(6):
        row = scheduled("{every: PT1H}", f"job-{number}")
        make_due(row)
    barrier = threading.Barrier(4)

    def fire(_: int) -> int:
        try:
            barrier.wait(10)
            return scheduling.fire_due()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        fired = sum(pool.map(fire, range(4)))
    scheduling.fire_due()
    assert fired <= 6
    assert Run.objects.count() == 6
    assert ScheduleFire.objects.count() == 6


def test_a_moment_that_was_started_for_is_not_started_for_again() -> None:
    row = scheduled("{every: PT1H}")
    moment = make_due(row)
    scheduling.fire_due()
    Schedule.objects.filter(pk=row.pk).update(next_at=moment)
    scheduling.fire_due()
    assert Run.objects.count() == 1
    row.refresh_from_db()
    assert row.next_at == moment + HOUR


def test_a_start_whose_transaction_is_lost_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    row = scheduled("{every: PT1H}")
    make_due(row)

    def lost(*_: Any) -> None:
        raise OperationalError("the server went away")

    with monkeypatch.context() as patch:
        patch.setattr(scheduling, "_leave_out", lost)
        with pytest.raises(OperationalError):
            scheduling.fire_due()
    assert not ScheduleFire.objects.exists()
    assert scheduling.fire_due() == 1


def test_a_new_version_keeps_the_rhythm_or_changes_it_and_one_without_schedule_ends_it() -> None:
    row = scheduled("{every: PT1H}")
    moment = row.next_at
    again = scheduled("{every: PT1H}", version="1.1.0")
    assert (again.pk, again.next_at, again.version.version) == (row.pk, moment, "1.1.0")
    other = scheduled("{every: PT2H}", version="1.2.0")
    assert other.next_at is not None
    assert moment is not None
    assert other.next_at > moment + timedelta(minutes=50)
    publish("nightly", DO.strip(), "1.3.0")
    assert not Schedule.objects.exists()
    assert events("schedule.removed") == [{"version": "1.3.0"}]
    assert len(events("schedule.set")) == 3


def test_a_run_starts_with_the_version_that_brought_the_schedule() -> None:
    scheduled("{every: PT1H}")
    row = scheduled("{every: PT1H}", version="2.0.0")
    make_due(row)
    scheduling.fire_due()
    assert Run.objects.get().workflow_version == row.version


def test_a_new_version_of_an_after_waits_for_the_run_that_is_under_way() -> None:
    scheduled("{after: PT1H}")
    scheduling.fire_due()
    row = scheduled("{after: PT2H}", version="1.1.0")
    assert row.next_at is None
    assert scheduling.fire_due() == 0
    ended = end(Run.objects.get())
    scheduling.fire_due()
    row.refresh_from_db()
    assert row.next_at == ended + 2 * HOUR


def test_a_paused_schedule_starts_nothing_and_goes_on_from_now() -> None:
    row = scheduled("{every: PT1H}", missed="all")
    operations.pause_schedule("nightly", actor="user:ann", reason="migration")
    moment = make_due(row, 2.5 * HOUR)
    assert scheduling.wait_seconds() is None
    assert scheduling.fire_due() == 0
    with pytest.raises(operations.NotAllowed, match="paused already"):
        operations.pause_schedule("nightly", actor="user:ann", reason="again")
    scheduled("{every: PT1H}", version="1.1.0", missed="all")
    assert Schedule.objects.get().state == "paused"
    operations.resume_schedule("nightly", actor="user:ann", reason="done")
    row.refresh_from_db()
    assert (row.state, row.next_at) == ("active", moment + 3 * HOUR)
    with pytest.raises(operations.NotAllowed, match="not paused"):
        operations.resume_schedule("nightly", actor="user:ann", reason="again")
    kept = list(AuditEvent.objects.filter(kind__in=["schedule.paused", "schedule.resumed"]).order_by("id"))
    assert [(event.actor, event.reason) for event in kept] == [("user:ann", "migration"), ("user:ann", "done")]
    with pytest.raises(operations.UnknownSchedule, match="nobody"):
        operations.pause_schedule("nobody", actor="user:ann", reason="x")


def test_an_after_that_is_resumed_goes_on_behind_its_last_run() -> None:
    row = scheduled("{after: PT1H}")
    scheduling.fire_due()
    operations.pause_schedule("nightly", actor="user:ann", reason="x")
    ended = end(Run.objects.get())
    assert scheduling.wait_seconds() is None
    operations.resume_schedule("nightly", actor="user:ann", reason="y")
    scheduling.fire_due()
    row.refresh_from_db()
    assert row.next_at == ended + HOUR
