"""The first page: how much is open now, what is under way, and whether the machinery itself is all right."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from workflows.models import Branch, Chore, Queue, Run
from workflows.queries import rollups
from workflows.queries.failures import FailureRow
from workflows.queries.rows import RunRow
from workflows.queries.runs import listed, run_rows, signs
from workflows.sql import Statement

COUNT_LIMIT = 10_000
MOST_BLOCKED = 100
STALE_CHORE = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Now:
    """How many runs are open, each counted up to 10,000; beyond it, what the last sample of all of them said."""

    running: int = 0
    pending: int = 0
    waiting: int = 0
    people: int = 0
    retrying: int = 0
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class QueueLine:
    """A queue: steps that are due, counted up to 10,000 of a priority, how old the oldest is, and the last hour."""

    name: str
    due: int
    oldest_seconds: float
    paused_by: str | None
    recent: Sequence[float]


@dataclass(frozen=True, slots=True)
class Health:
    """What is wrong with the machinery: paused queues, code that no worker has, chores that failed or stand still."""

    paused: Sequence[tuple[str, str]] = ()
    blocked: int = 0
    failed_chores: Sequence[tuple[str, str]] = ()
    still_since: datetime | None = None


# Counts stop at a number, so that the page stays quick; the newest of what waits are looked at one by one.
_NOW = Statement(
    """
    WITH waiting AS MATERIALIZED (
        SELECT id, reason FROM run WHERE state = 'waiting' ORDER BY id DESC LIMIT :most::int + 1)
    SELECT (SELECT count(*) FROM (SELECT FROM run WHERE state = 'running' LIMIT :most::int) r),
        (SELECT count(*) FROM (SELECT FROM run WHERE state = 'pending' LIMIT :most::int) p),
        count(*) FILTER (WHERE reason NOT IN ('back_off', 'blocked')), count(*) FILTER (WHERE reason = 'person'),
        count(*) FILTER (WHERE reason = 'back_off'), count(*),
        (SELECT min(s.due_at) FROM (SELECT id FROM waiting WHERE reason = 'back_off' LIMIT 100) w
            JOIN step s ON s.run_id = w.id AND s.state = 'ready' AND s.failures > 0)
    FROM waiting
    """
)
_SAMPLED = Statement(
    """
    SELECT name, highest FROM gauge WHERE span = 60 AND name IN ('waiting', 'retrying') AND queue = ''
        AND begins_at = (SELECT max(begins_at) FROM gauge WHERE span = 60 AND name = 'waiting' AND queue = '')
    """
)
_QUEUES = Statement(
    """
    WITH RECURSIVE pair AS (
        (SELECT queue, priority FROM step WHERE state = 'ready' ORDER BY queue, priority LIMIT 1)
        UNION ALL SELECT next.queue, next.priority FROM pair CROSS JOIN LATERAL (
            SELECT queue, priority FROM step
            WHERE state = 'ready' AND (queue, priority) > (pair.queue, pair.priority)
            ORDER BY queue, priority LIMIT 1) next)
    SELECT pair.queue, sum(found.n)::int, max(found.oldest)::float8
    FROM pair CROSS JOIN LATERAL (
        SELECT count(*) AS n, coalesce(extract(epoch FROM now() - min(due_at)), 0) AS oldest FROM (
            SELECT due_at FROM step WHERE state = 'ready' AND queue = pair.queue AND priority = pair.priority
                AND due_at <= now() ORDER BY due_at LIMIT :most::int) first) found
    GROUP BY pair.queue
    """
)
_FLIGHT = Statement(
    """
    SELECT id FROM (
        (SELECT id, 0 AS rank FROM run WHERE state = 'running' ORDER BY id DESC LIMIT :limit::int)
        UNION ALL (SELECT id, CASE WHEN reason = 'back_off' THEN 0 ELSE 1 END FROM (
            SELECT id, reason FROM run WHERE state = 'waiting' ORDER BY id DESC LIMIT :look::int) newest)
        UNION ALL (SELECT id, 2 FROM run WHERE state = 'pending' ORDER BY id DESC LIMIT :limit::int)) open
    ORDER BY rank, id DESC LIMIT :limit::int
    """
)
_NEWEST = Statement("SELECT id FROM run ORDER BY id DESC LIMIT :limit::int")
_COUNTED = Statement("SELECT coalesce((SELECT event FROM rollup_place), 0)")


def now_open() -> Now:
    """Return how much is open now."""
    running, pending, waiting, people, retrying, seen, next_at = _NOW.rows({"most": COUNT_LIMIT})[0]
    if seen > COUNT_LIMIT:
        sampled = dict(_SAMPLED.rows())
        waiting, retrying = int(sampled.get("waiting", waiting)), int(sampled.get("retrying", retrying))
    return Now(running, pending, waiting, people, retrying, next_at)


def in_flight(limit: int) -> list[RunRow]:
    """Return open runs, the newest first: those that run or are tried again before those that wait."""
    ids = [row[0] for row in _FLIGHT.rows({"limit": limit, "look": 20 * limit})]
    found = {run.pk: run for run in listed(Run.objects.filter(pk__in=ids))}
    return run_rows(found[pk] for pk in ids if pk in found)


def queue_lines(now: datetime, paused: Mapping[str, str]) -> list[QueueLine]:
    """Return the queues in which something is or was due within the last hour, and those that are paused."""
    first = rollups.floor(now - timedelta(hours=1), 60) + timedelta(minutes=1)
    recent: dict[str, list[float]] = defaultdict(lambda: [0.0] * 60)
    for queue, at, _mean, highest in rollups.gauges(["due"], first, span=60):
        recent[queue][min(int((at - first).total_seconds() // 60), 59)] = highest
    due = {name: (count, oldest) for name, count, oldest in _QUEUES.rows({"most": COUNT_LIMIT})}
    busy = {name for name, (count, _oldest) in due.items() if count} | {
        name for name, was in recent.items() if any(was)
    }
    names = sorted(busy | set(paused), key=lambda name: (-due.get(name, (0, 0.0))[0], name))
    return [QueueLine(name, *due.get(name, (0, 0.0)), paused.get(name), recent[name]) for name in names]


def any_run() -> bool:
    """Tell whether there is any run."""
    return bool(_NEWEST.rows({"limit": 1}))


def health() -> Health:
    """Look at the machinery."""
    chores = Chore.objects.all()
    last = chores.aggregate(last=Max("began_at"))["last"]
    return Health(
        paused=list(Queue.objects.filter(paused_at__isnull=False).order_by("name").values_list("name", "paused_by")),
        blocked=Branch.objects.filter(state="open", rest="blocked").values("pk")[:MOST_BLOCKED].count(),
        failed_chores=list(chores.exclude(error="").order_by("name").values_list("name", "error")),
        still_since=last if last and timezone.now() - last > STALE_CHORE else None,
    )


def overview_token(now: datetime, groups: Sequence[FailureRow]) -> str:
    """Return a text that changes when the first page would look different: at the latest with the next minute."""
    newest = [row[0] for row in _NEWEST.rows({"limit": 50})]
    parts = [signs(newest), str(_COUNTED.rows()[0][0]), f"{now:%H:%M}"]
    parts += [f"{row.fingerprint}{row.open_runs}{row.last_seen_at.timestamp()}" for row in groups]
    return uuid.uuid5(uuid.NAMESPACE_OID, "|".join(parts)).hex
