"""What is wrong at this moment and belongs to no single run: queues, workers, the database, chores."""

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models.functions import Now

from actions.models import ActionVersion
from workflows import claim
from workflows.models import Chore, NotificationRule, Worker
from workflows.notifications import patterns
from workflows.notifications.kinds import CHORE_FAILED, NO_WORKER, OLD_TRANSACTION, QUEUE_AGE
from workflows.sql import Statement

CONDITIONS = (QUEUE_AGE, NO_WORKER, OLD_TRANSACTION, CHORE_FAILED)
ALIVE = timedelta(seconds=60)
LEAST_SECONDS = 30.0  # of a transaction that is worth a look
NO_WORKER_SECONDS = 60.0  # for actions that say `no_worker`
OWN_CHORES = ("notices.watch", "notices.send")  # they do not tell about themselves
Found = dict[tuple[str, str], dict[str, Any]]  # by definition and queue of the notice: what to say
MOST_BLOCKED = 20_000
# A blocked step is looked at again every 15 s, so it is due by then; however many others are due, its branch says it.
_BLOCKED = Statement(
    """
    SELECT s.function, s.queue, s.action_version_id, count(*)::int, min(s.created_at),
        extract(epoch FROM now() - min(s.created_at))::float8
    FROM (SELECT id FROM branch WHERE state = 'open' AND rest = 'blocked' ORDER BY id LIMIT :most) b
    JOIN step s ON s.branch_id = b.id AND s.state = 'ready' AND s.due_at <= now() + interval '20 s'
    WHERE s.function <> '' GROUP BY s.function, s.queue, s.action_version_id
    """
)
# Sessions of other roles hide their transactions; prepared transactions have no session.
_OLD = Statement(
    """
    SELECT pid, application_name, xact_start, extract(epoch FROM now() - xact_start)::float8 FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND backend_xmin IS NOT NULL
        AND xact_start < now() - make_interval(secs => :least::float8)
    ORDER BY xact_start LIMIT 1
    """
)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Due steps whose handler no worker knows."""

    name: str
    queue: str
    version: uuid.UUID | None
    steps: int
    since: datetime
    seconds: float


@dataclass(slots=True)
class Seen:
    """One look at everything; rules with different thresholds judge the same look."""

    late: dict[str, float] = field(default_factory=dict)  # seconds that the oldest due step of a queue waits
    unserved: set[str] = field(default_factory=set)
    blocked: list[Blocked] = field(default_factory=list)
    old: list[tuple[int, str, datetime, float]] = field(default_factory=list)
    chores: list[Chore] = field(default_factory=list)

    @classmethod
    def now(cls, wanted: set[str]) -> "Seen":
        """Look at queues and workers, and at the rest where a rule wants to know."""
        pairs = claim.pairs()
        seen = cls()
        for queue, _, seconds in pairs:
            seen.late[queue] = max(seen.late.get(queue, 0.0), -seconds)
        seen.unserved = _unserved(seen.late)
        for function, *facts in _BLOCKED.rows({"most": MOST_BLOCKED}):
            seen.blocked.append(Blocked(function.partition(":")[0], *facts))
        if OLD_TRANSACTION in wanted:
            seen.old = [
                (pid, name, since, seconds) for pid, name, since, seconds in _OLD.rows({"least": LEAST_SECONDS})
            ]
        if CHORE_FAILED in wanted:
            seen.chores = list(Chore.objects.exclude(error="").exclude(name__in=OWN_CHORES))
        return seen

    def of(self, kind: str, rule: NotificationRule) -> Found:
        """Return what a rule wants to know of."""
        return {
            QUEUE_AGE: self._late,
            NO_WORKER: self._no_worker,
            OLD_TRANSACTION: self._old,
            CHORE_FAILED: self._chores,
        }[kind](rule)

    def asked_by_actions(self) -> dict[uuid.UUID, Found]:
        """Return the blocked actions that want it told, by version."""
        long = [one for one in self.blocked if one.version and one.seconds >= NO_WORKER_SECONDS]
        rows = ActionVersion.objects.filter(pk__in=[one.version for one in long], notify__on__contains=NO_WORKER)
        asked = set(rows.values_list("pk", flat=True))
        found: dict[uuid.UUID, Found] = defaultdict(dict)
        for one in long:
            if one.version in asked:
                found[one.version].update(_blocked(one))
        return found

    def _late(self, rule: NotificationRule) -> Found:
        return {
            ("", queue): {"seconds": round(seconds)}
            for queue, seconds in self.late.items()
            if seconds >= rule.after_seconds and patterns.fits(rule.queues, queue)
        }

    def _no_worker(self, rule: NotificationRule) -> Found:
        found: Found = {
            ("", queue): {}
            for queue in self.unserved
            if self.late[queue] >= rule.after_seconds and patterns.fits(rule.queues, queue)
        }
        for one in self.blocked:
            fits = patterns.fits(rule.definitions, one.name) and patterns.fits(rule.queues, one.queue)
            if fits and one.seconds >= rule.after_seconds:
                found |= _blocked(one)
        return found

    def _old(self, rule: NotificationRule) -> Found:
        for pid, name, since, seconds in self.old:
            if seconds >= rule.after_seconds:
                return {("", ""): {"pid": pid, "application": name, "since": since.isoformat()}}
        return {}

    def _chores(self, rule: NotificationRule) -> Found:
        return {
            (chore.name, ""): {"error": chore.error[:1_000]}
            for chore in self.chores
            if patterns.fits(rule.definitions, chore.name)
        }


def _blocked(one: Blocked) -> Found:
    return {(one.name, one.queue): {"steps": one.steps, "since": one.since.isoformat()}}


def _unserved(late: dict[str, float]) -> set[str]:
    """Return the queues with due work that no living worker serves."""
    living = Worker.objects.filter(stopped_at=None, draining_at=None, heartbeat_at__gt=Now() - ALIVE)
    served = list(living.values_list("queues", flat=True))
    return {queue for queue, seconds in late.items() if seconds > 0 and not any(not s or queue in s for s in served)}
