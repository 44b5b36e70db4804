"""All schedules on one page, and a run started by hand as a schedule would."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent
from tests.support.documents import publish
from workflows import operations, scheduling
from workflows.models import Run, Schedule
from workflows.operations import UnknownSchedule

Reader = Callable[..., Client]
DO = "\ndo: [{a: {set: {b: 1}}}]"
FORM = "/workflows/job/schedule/run/"


def page(client: Client, path: str = "/schedules/", status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return response.content.decode()


def test_each_schedule_says_when_it_starts_and_what_became_of_the_last_moments(reader: Reader) -> None:
    publish("job", "schedule: {every: PT2H}" + DO)
    publish("nightly", "schedule: {cron: '0 6 * * 1-5'}" + DO)
    Schedule.objects.filter(workflow__name="job").update(next_at=datetime.now(UTC) - timedelta(hours=2, minutes=5))
    scheduling.fire_due()
    shown = page(reader("Viewer"))
    assert "Every 2 hours" in shown
    assert "At 06:00 on Monday through Friday (0 6 * * 1-5, UTC)" in shown
    assert f"/runs/{Run.objects.get().pk}/" in shown
    assert "1 missed and left out" in shown
    assert shown.count("<time") >= 10
    assert "/schedule/pause/" not in shown
    assert "/schedule/run/" not in shown


def test_a_cron_keeps_its_hour_where_the_clock_changes(reader: Reader) -> None:
    about = (
        "document: {dsl: 1.0.3, namespace: t, name: job, version: 1.0.0, metadata: {dotdo: {timezone: Europe/Berlin}}}"
    )
    draft = operations.draft_workflow(f"{about}\nschedule: {{cron: '30 2 * * *'}}{DO}", actor="user:test")
    operations.publish_workflow(draft.id, actor="user:test")
    Schedule.objects.update(next_at=datetime(2027, 3, 27, 1, 30, tzinfo=UTC))
    shown = page(reader())
    for moment in ("2027-03-27 01:30:00", "2027-03-28 01:00:00", "2027-03-29 00:30:00"):
        assert f"{moment} UTC" in shown


def test_a_run_now_is_the_schedules_and_a_double_click_starts_one(reader: Reader) -> None:
    publish("job", "schedule: {every: PT2H}" + DO)
    due = Schedule.objects.get().next_at
    client, asked = reader(), {"reason": "the <b>audit</b>", "token": str(uuid4())}
    first, second = client.post(FORM, asked), client.post(FORM, asked)
    run = Run.objects.get()
    assert first.status_code == second.status_code == 303
    assert first["Location"] == second["Location"] == f"/runs/{run.pk}/"
    assert (run.trigger, run.actor) == ("schedule", "user:operator")
    assert Schedule.objects.get().next_at == due
    told = AuditEvent.objects.get(kind="schedule.run_now")
    assert (told.reason, json.loads(told.data)["run"]) == ("the <b>audit</b>", str(run.pk))
    assert "the &lt;b&gt;audit&lt;/b&gt;" in page(client)
    assert f"/runs/{run.pk}/" in page(client, "/workflows/job/")


def test_a_run_now_needs_a_reason_and_a_whole_form(reader: Reader) -> None:
    publish("job", "schedule: {every: PT2H}" + DO)
    client = reader()
    assert client.post(FORM, {"reason": " ", "token": str(uuid4())}).status_code == 422
    assert client.post(FORM, {"reason": "x", "token": "no"}).status_code == 422
    assert not Run.objects.exists()


def test_what_starts_by_events_is_not_run_now_and_says_why(reader: Reader) -> None:
    publish("job", "schedule: {on: {one: {with: {type: order.paid}}}}" + DO)
    client = reader()
    shown = page(client)
    assert "It starts by events" in shown
    assert 'aria-disabled="true"' in shown
    assert "This cannot be done now" in page(client, FORM)
    assert client.post(FORM, {"reason": "x", "token": str(uuid4())}).status_code == 303
    assert not Run.objects.exists()


def test_a_schedule_that_is_gone_before_the_command_is_a_refusal_and_no_error(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("job", "schedule: {every: PT2H}" + DO)

    def gone(name: str, **_: object) -> None:
        raise UnknownSchedule(name)

    monkeypatch.setattr(operations, "pause_schedule", gone)
    client = reader()
    assert client.post("/workflows/job/schedule/pause/", {"reason": "x"}).status_code == 303
    assert "There is no workflow job with a schedule." in page(client)


UNCLEAR = [("nonsense=1", "is not a filter"), ("state=x", "use active, paused"), ("after=!", "names no page")]


@pytest.mark.parametrize(("query", "words"), UNCLEAR)
def test_an_address_that_cannot_be_understood_shows_nothing(reader: Reader, query: str, words: str) -> None:
    assert words in page(reader(), f"/schedules/?{query}", 400)


def test_pages_lead_there_and_back_and_ask_as_often_for_many_as_for_one(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = reader()
    publish("job-0", "schedule: {every: PT2H}" + DO)
    page(client)
    with CaptureQueriesContext(connection) as one:
        page(client)
    for number in range(1, 5):
        publish(f"job-{number}", "schedule: {every: PT2H}" + DO)
    page(client)
    with CaptureQueriesContext(connection) as many:
        page(client)
    assert len(many) == len(one)
    monkeypatch.setattr("workflows.views.listing.PAGE_SIZE", 2)
    first = page(client)
    second = page(client, "/schedules/?after" + first.partition('href="?after')[2].partition('"')[0])
    assert "job-2" in second
    assert "job-1" not in second
    back = page(client, "/schedules/?before" + second.partition('href="?before')[2].partition('"')[0])
    assert "job-0" in back
    assert "job-1" in back
    assert "job-2" not in back
