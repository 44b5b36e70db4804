"""Schedules over HTTP."""

from datetime import UTC, datetime, timedelta

import pytest

from audit.models import AuditEvent
from tests.integration.api.conftest import Caller
from tests.support.documents import publish
from workflows import scheduling
from workflows.models import Schedule

pytestmark = pytest.mark.usefixtures("database")

DO = "\ndo: [{a: {set: {b: 1}}}]"


def test_schedules_are_listed_with_their_rules_in_words_and_the_next_moments(api: Caller) -> None:
    publish("a-cron", "schedule: {cron: '30 6 * * 1'}" + DO)
    publish("b-every", "schedule: {every: {hours: 36}}" + DO)
    publish("c-after", "schedule: {after: PT90S}" + DO)
    publish("d-on", "schedule: {on: {any: [{with: {type: paid}}, {with: {source: /x, data: '${ .n > 1 }'}}]}}" + DO)
    publish("e-all", "schedule: {on: {all: [{with: {type: paid}}, {with: {type: sent}}]}}" + DO)
    publish("f-none", DO.strip())
    listed = api("GET", "schedules").json()
    assert [(each["workflow"], each["rule"]) for each in listed] == [
        ("a-cron", "at 06:30 on Monday (30 6 * * 1, UTC)"),
        ("b-every", "every 36 hours"),
        ("c-after", "90 seconds after the last run has ended"),
        ("d-on", "on paid or an event (with conditions)"),
        ("e-all", "when there was one event of each: paid, sent"),
    ]
    assert [len(each["upcoming"]) for each in listed] == [5, 5, 1, 0, 0]
    assert listed[0]["upcoming"][0] == listed[0]["next_at"]


def test_a_schedule_shows_what_it_did_and_what_it_left_out(api: Caller) -> None:
    publish("job", "schedule: {every: PT1H}" + DO)
    row = Schedule.objects.get()
    Schedule.objects.filter(pk=row.pk).update(next_at=datetime.now(UTC) - timedelta(hours=1, minutes=5))
    scheduling.fire_due()
    shown = api("GET", "schedules/job").json()
    assert [(fire["skipped"], fire["status"]) for fire in shown["fires"]] == [(False, "pending"), (True, "")]
    assert "Left out after downtime: 1 moment from" in shown["notes"][0]["sentence"]


def test_pausing_and_resuming_need_a_reason_and_are_audited(api: Caller) -> None:
    publish("job", "schedule: {every: PT1H}" + DO)
    assert api("POST", "schedules/job/pause", {}).status_code == 422
    paused = api("POST", "schedules/job/pause", {"reason": "x"}).json()
    assert (paused["state"], paused["next_at"], paused["upcoming"]) == ("paused", None, [])
    again = api("POST", "schedules/job/pause", {"reason": "x"})
    assert (again.status_code, again.json()["detail"]) == (409, "The schedule is paused already.")
    resumed = api("POST", "schedules/job/resumption", {"reason": "y"}).json()
    assert (resumed["state"], [note["reason"] for note in resumed["notes"]]) == ("active", ["y", "x"])
    assert api("POST", "schedules/job/resumption", {"reason": "y"}).status_code == 409
    assert AuditEvent.objects.get(kind="schedule.paused").actor.startswith("key:")


def test_a_workflow_without_a_schedule_has_none_to_pause(api: Caller) -> None:
    publish("job", DO.strip())
    for method, path in (("GET", "schedules/job"), ("POST", "schedules/job/pause")):
        answer = api(method, path, {"reason": "x"} if method == "POST" else None)
        assert (answer.status_code, answer.json()["title"]) == (404, "There is no such schedule")
