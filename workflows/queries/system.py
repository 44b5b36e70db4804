"""Queues, workers, the chores of the house, and the database under them."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F
from django.utils import timezone

from workflows import queue_names
from workflows.models import Chore, Queue, Step, Worker
from workflows.queries.overview import queue_lines
from workflows.queries.rows import QueueRow, WorkerRow
from workflows.sql import Statement

SILENT = timedelta(seconds=60)
_DATABASE = Statement(
    """
    SELECT current_setting('server_version'), pg_database_size(current_database())::float8,
        (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend'),
        current_setting('max_connections')::int
    """
)


@dataclass(frozen=True, slots=True)
class ChoreRow:
    """A chore of the house; `under_way`: its last round has not ended."""

    name: str
    next_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    error: str
    under_way: bool


@dataclass(frozen=True, slots=True)
class Database:
    """The server of the database; `connections` of all its databases."""

    version: str
    bytes: float
    connections: int
    most_connections: int


def queues() -> list[QueueRow]:
    """Return all queues: those with most due steps first, then by name."""
    rows = {row.name: row for row in Queue.objects.filter(paused_at__isnull=False)}
    paused = {name: row.paused_by for name, row in rows.items()}
    lines = {line.name: line for line in queue_lines(timezone.now(), paused)}
    running = dict(Step.objects.filter(state="running").values_list("queue").annotate(Count("id")))
    served = list(Worker.objects.filter(stopped_at=None, draining_at=None).values_list("queues", flat=True))
    found = []
    for name in {*queue_names.names(), *lines}:
        row, line = rows.get(name), lines.get(name)
        found.append(
            QueueRow(
                name=name,
                due=line.due if line else 0,
                oldest_seconds=line.oldest_seconds if line else 0.0,
                recent=list(line.recent) if line else [],
                running=running.get(name, 0),
                workers=sum(1 for names in served if not names or name in names),
                paused_at=row.paused_at if row else None,
                paused_by=row.paused_by if row else "",
                reason=row.reason if row else "",
            )
        )
    return sorted(found, key=lambda queue: (-queue.due, queue.name))


def queue(name: str) -> QueueRow | None:
    """Return one queue, or None when nothing names it."""
    return next((row for row in queues() if row.name == name), None)


def workers() -> list[WorkerRow]:
    """Return the workers that have not stopped, newest first."""
    rows = list(Worker.objects.filter(stopped_at__isnull=True).order_by(F("started_at").desc()))
    steps = Step.objects.filter(state="running").values_list("leased_by", "id", "run_id", "name", "started_at")
    held = {leased_by: rest for leased_by, *rest in steps}
    newest = rows[0].code_version if rows else ""
    now = timezone.now()
    return [_worker(row, held, newest, now) for row in rows]


def worker(worker_id: uuid.UUID) -> WorkerRow | None:
    """Return one worker that has not stopped, or None."""
    return next((row for row in workers() if row.id == worker_id), None)


def chores() -> list[ChoreRow]:
    """Return the chores of the house by name."""
    return [
        ChoreRow(
            row.name,
            row.next_at,
            row.began_at,
            row.ended_at,
            row.error,
            row.began_at is not None and (row.ended_at is None or row.ended_at < row.began_at),
        )
        for row in Chore.objects.order_by("name")
    ]


def database() -> Database:
    """Return what is known of the database without looking at its tables."""
    return Database(*_DATABASE.rows()[0])


def _worker(row: Worker, held: Mapping[uuid.UUID | None, list[Any]], newest: str, now: datetime) -> WorkerRow:
    step, run, name, since = held.get(row.id, [None, None, "", None])
    if row.draining_at is not None:
        state = "drained" if step is None else "draining"
    elif now - row.heartbeat_at > SILENT:
        state = "silent"
    else:
        state = "idle" if step is None else "busy"
    return WorkerRow(
        id=row.id,
        host=row.host,
        pid=row.pid,
        code_version=row.code_version,
        old_code=row.code_version != newest,
        queues=list(row.queues),
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        step=step,
        run=run,
        step_name=name,
        step_since=since,
        draining_at=row.draining_at,
        draining_by=row.draining_by,
        state=state,
    )
