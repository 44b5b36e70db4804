"""What has no more use: old events and deliveries, moments and versions long past, workers that stopped, sessions.

Tables that grow are read a page at a time, by their keys; each page is a transaction of its own.
"""

import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone
from django_q.models import Task

from workflows import draining
from workflows.models import Batch, Worker
from workflows.retention import archive
from workflows.sql import Statement

ROUND_SECONDS = 20.0
PAGE = 2_000
MOMENT_DAYS = 90
VERSION_DAYS = 1
HISTORY_DAYS = 90
WORKER_DAYS = 7
LOST_HOST_DAYS = 30
SIGN_IN_DAYS = 30
TASK_DAYS = 30
BATCH_DAYS = 90


@dataclass(frozen=True, slots=True)
class Leftover:
    """A table with rows that lose their use, where its keys begin, and which of the old rows are free to go."""

    table: str
    first: uuid.UUID | int
    old: str
    free: str

    def page(self, after: uuid.UUID | int, days: int) -> tuple[uuid.UUID | int | None, int]:
        """Delete what is free among the next rows; return where to go on, unless all old rows were seen, and how many
        went. Keys grow with time: behind a page without an old row there is nothing to look for.
        """
        rows = Statement(
            f"""
            WITH page AS MATERIALIZED (
                SELECT t.id, t.{self.old} < now() - make_interval(days => :days) AS old FROM {self.table} t
                WHERE t.id > :after ORDER BY t.id LIMIT {PAGE}),
            gone AS (DELETE FROM {self.table} t USING page WHERE t.id = page.id AND page.old AND {self.free}
                RETURNING t.id)
            SELECT (SELECT id FROM page WHERE EXISTS (SELECT FROM page WHERE old) ORDER BY id DESC LIMIT 1),
                (SELECT count(*) FROM gone)
            """  # noqa: S608 - constants
        ).rows({"after": after, "days": days})
        last, gone = rows[0]
        return last, gone


# An event that is addressed to a run goes with the run, one that was handed to runs after the last of them.
EVENTS = Leftover(
    "event",
    uuid.UUID(int=0),
    "received_at",
    "t.run_id IS NULL AND NOT EXISTS (SELECT FROM message m WHERE m.event_id = t.id) "
    "AND NOT EXISTS (SELECT FROM delivery d WHERE d.event_id = t.id)",
)
DELIVERIES = Leftover("delivery", uuid.UUID(int=0), "received_at", "t.run_id IS NULL")
# A schedule never goes back to a moment, but the newest start says that it has begun, and what comes after it.
MOMENTS = Leftover(
    "schedule_fire",
    0,
    "created_at",
    "t.run_id IS NULL AND t.nominal_at < (SELECT max(newest.nominal_at) FROM schedule_fire newest "
    "WHERE newest.schedule_id = t.schedule_id AND NOT newest.skipped)",
)
# Of what an entry held before, the newest hundred versions stay, and those of the last day; nothing, a while after it
# was deleted.
VERSIONS = Leftover(
    "entry_version",
    0,
    "written_at",
    "EXISTS (SELECT FROM entry_version newer WHERE newer.namespace = t.namespace AND newer.key = t.key "
    "AND newer.id > t.id ORDER BY newer.id OFFSET 99)",
)
VERSIONS_OF_NOTHING = Leftover(
    "entry_version",
    0,
    "written_at",
    "NOT EXISTS (SELECT FROM entry e WHERE e.namespace = t.namespace AND e.key = t.key)",
)
_places: dict[Leftover, uuid.UUID | int] = {}  # of this process; another one begins anew

_BATCH_ITEMS = Statement(
    f"""
    DELETE FROM batch_item WHERE id IN (
        SELECT i.id FROM batch_item i JOIN batch b ON b.id = i.batch_id
        WHERE b.ended_at < now() - make_interval(days => :days) LIMIT {PAGE})
    RETURNING id
    """  # noqa: S608 - a constant
)


def tidy(seconds: float = ROUND_SECONDS) -> dict[str, int]:
    """Delete what has no more use; return how many rows of which table went."""
    until = time.monotonic() + seconds
    gone: dict[str, int] = {}
    swept = [(MOMENTS, MOMENT_DAYS), (VERSIONS, VERSION_DAYS), (VERSIONS_OF_NOTHING, HISTORY_DAYS)]
    if settings.EVENT_RETENTION_DAYS is not None:
        swept += [(table, settings.EVENT_RETENTION_DAYS) for table in (DELIVERIES, EVENTS)]
    for number, (leftover, days) in enumerate(swept):
        share = (until - time.monotonic()) / (len(swept) - number + 1)  # what one does not need, those after it have
        went = _sweep(leftover, days, time.monotonic() + share)
        gone[leftover.table] = gone.get(leftover.table, 0) + went
    gone["batch"] = _batches(until)
    stopped, lost = Worker.objects.filter(stopped_at__lt=_ago(WORKER_DAYS)), _ago(LOST_HOST_DAYS)
    gone |= {
        "worker": (stopped | Worker.objects.filter(heartbeat_at__lt=lost)).delete()[0],
        "session": Session.objects.filter(expire_date__lt=_ago(0)).delete()[0],
        "sign-in attempt": AccessAttempt.objects.filter(attempt_time__lt=_ago(SIGN_IN_DAYS)).delete()[0],
        "task": Task.objects.filter(stopped__lt=_ago(TASK_DAYS)).delete()[0],
    }
    if settings.RETENTION_EXPORT:
        archive.clear(settings.RETENTION_DIR)
    return gone


def _batches(until: float) -> int:
    """Delete batches that ended long ago, their items first; return how many batches went. The trail still has them."""
    deleted = 0
    while time.monotonic() < until and not draining.requested():
        if _BATCH_ITEMS.rows({"days": BATCH_DAYS}):
            continue
        gone = Batch.objects.filter(ended_at__lt=_ago(BATCH_DAYS), items=None)
        deleted = gone.delete()[0]
        break
    return deleted


def _ago(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)


def _sweep(leftover: Leftover, days: int, until: float) -> int:
    """Go on where the time was over in the last round; one that saw all lets the next begin anew."""
    deleted, place = 0, _places.pop(leftover, leftover.first)
    while time.monotonic() < until and not draining.requested():
        last, gone = leftover.page(place, days)
        deleted += gone
        if last is None:
            return deleted
        place = last
    _places[leftover] = place
    return deleted
