"""What has no more use goes, and what somebody still needs, or has to be known when it comes again, stays."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from django.utils import timezone

from tests.integration.retention.aging import aged, behind_the_back
from tests.support.engine import begin, broadcast, work_until_idle
from workflows import operations, retention
from workflows.models import Batch, BatchItem, EntryVersion, Event, Worker
from workflows.retention import leftovers

LISTEN = "do:\n- ask: {listen: {to: {one: {with: {type: paid}}}}}\n"


@pytest.fixture(autouse=True)
def _events_are_kept_for_a_week(archive: Path, settings: Any) -> None:
    settings.EVENT_RETENTION_DAYS = 7
    leftovers._places.clear()


def age_events(days: int) -> None:
    """Let all events have come so much earlier; their ids grow with time, so they do as well."""
    for event in Event.objects.all():
        then = timezone.now() - timedelta(days=days)
        number = uuid.UUID(int=(int(then.timestamp() * 1000) << 80) | (event.pk.int & ((1 << 80) - 1)))
        values = {"old": event.pk, "new": number, "then": then}
        behind_the_back("UPDATE event SET id = %(new)s, received_at = %(then)s WHERE id = %(old)s", values)
        behind_the_back("UPDATE message SET event_id = %(new)s WHERE event_id = %(old)s", values)


def test_an_old_event_that_nobody_has_goes_and_a_young_one_stays() -> None:
    broadcast(number=1)
    age_events(8)
    broadcast(number=2)
    assert retention.tidy()["event"] == 1
    assert [event.event_id for event in Event.objects.all()] == ["paid2"]


def test_an_old_event_stays_while_a_run_that_got_it_is_kept() -> None:
    run = begin(LISTEN)
    work_until_idle()
    broadcast()
    work_until_idle()
    age_events(50)
    assert retention.tidy()["event"] == 0
    aged(run)
    assert retention.delete_due() == 1
    assert retention.tidy()["event"] == 1


def test_an_event_that_a_waiting_run_has_in_its_mailbox_stays() -> None:
    run = begin("do:\n- rest: {wait: {hours: 1}}\n- ask: {listen: {to: {one: {with: {type: paid}}}}}\n")
    work_until_idle()
    event = {"specversion": "1.0", "id": "1", "source": "/tests", "type": "paid", "subject": str(run)}
    operations.deliver_event(event, actor="user:test", via="api")
    age_events(50)
    assert retention.tidy()["event"] == 0


def test_without_a_setting_events_are_kept_for_ever(settings: Any) -> None:
    settings.EVENT_RETENTION_DAYS = None
    broadcast()
    age_events(5_000)
    assert "event" not in retention.tidy()
    assert Event.objects.count() == 1


def test_events_are_read_page_by_page_past_those_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "PAGE", 2)
    begin(LISTEN)
    work_until_idle()
    for number in range(7):
        broadcast("paid" if number < 3 else "else", number)
    age_events(8)
    kept = Event.objects.filter(messages__isnull=False).count()
    assert retention.tidy()["event"] == 7 - kept
    assert kept == Event.objects.count() > 0


class Ticking:
    """A clock that goes on by a tenth of a second whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 0.1
        return self.now


def test_a_table_that_is_kept_whole_leaves_time_for_others_and_is_looked_at_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leftovers, "PAGE", 2)
    monkeypatch.setattr(leftovers, "time", Ticking())
    held = "SELECT 'default', 'k' || n, 1, 'null', now() - interval '100 days'"
    version = f"INSERT INTO entry_version (namespace, key, version, value, written_at, writer, deleted) {held}"
    behind_the_back(f"{version}, '', false FROM generate_series(1, 1001) n", {})
    behind_the_back(
        f"INSERT INTO entry (namespace, key, version, value, updated_at) {held} FROM generate_series(1, 1000) n", {}
    )
    broadcast()
    age_events(8)
    assert retention.tidy()["event"] == 1, "as late as it comes"
    assert EntryVersion.objects.count() == 1001
    for _ in range(30):
        retention.tidy()
    assert EntryVersion.objects.count() == 1000, "each round goes on where the one before it ended"


def test_workers_that_stopped_long_ago_are_forgotten() -> None:
    now = timezone.now()
    for stopped, beat in ((None, now), (now, now), (now - timedelta(days=8), now), (None, now - timedelta(days=31))):
        Worker.objects.create(host="h", pid=1, code_version="", started_at=Now(), heartbeat_at=beat, stopped_at=stopped)
    assert retention.tidy()["worker"] == 2
    assert Worker.objects.count() == 2


def test_sessions_that_ran_out_and_old_refused_sign_ins_go() -> None:
    Session.objects.create(session_key="old", session_data="", expire_date=timezone.now() - timedelta(minutes=1))
    Session.objects.create(session_key="new", session_data="", expire_date=timezone.now() + timedelta(minutes=1))
    AccessAttempt.objects.create(username="ada", ip_address="127.0.0.1", failures_since_start=1)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(days=31))
    gone = retention.tidy()
    assert (gone["session"], gone["sign-in attempt"]) == (1, 1)
    assert Session.objects.get().session_key == "new"


def test_a_batch_goes_long_after_its_end_with_its_items_and_one_that_is_under_way_stays() -> None:
    now = timezone.now()
    given = {"verb": "retry", "as_of": now, "shown": 3, "total": 3, "rate": 10, "due_at": now, "actor": "user:x"}
    old, young, open_one = (
        Batch.objects.create(state=state, created_at=now - timedelta(days=200), ended_at=ended, reason="", **given)
        for state, ended in (
            ("finished", now - timedelta(days=91)), ("stopped", now - timedelta(days=89)), ("running", None)
        )
    )  # fmt: skip
    for batch in (old, young, open_one):
        BatchItem.objects.bulk_create(BatchItem(batch=batch, run=uuid.uuid4()) for _ in range(3))
    assert retention.tidy()["batch"] == 1
    assert set(Batch.objects.values_list("pk", flat=True)) == {young.pk, open_one.pk}
    assert BatchItem.objects.count() == 6
