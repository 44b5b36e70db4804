"""The statements that take steps: due ones for a worker, abandoned ones back into the queue.

A claim increments `step.claim`, the fencing token: every later write carries it, so a worker that lost its lease
changes nothing. The claim touches nothing but `step`; the next checkpoint records what began.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from workflows.rules import UNDONE
from workflows.sql import Hot, Statement
from workflows.states import RUN_FINAL

LOST = "The worker died or lost its lease during this attempt."
_FIELDS = """
    s.id, s.key, s.ref, s.name, s.kind, s.function, s.attempt, s.failures, s.claim, s.crashes, s.generation, s.wake,
    s.action_version_id, s.queue, s.priority, s.input,
    b.id, b.parent_id, b.join_step, b.state, b.rest, b.revision, b.cursor, b.audit_seq, b.audit_head,
    r.id, r.kind, r.state, r.reason, r.name, r.workflow_version_id, r.action_version_id, r.input, r.context,
    r.queue, r.priority, r.created_at, r.actor, r.mail_seq, r.parent_step, r.root, r.depth, clock_timestamp(),
    s.error -> 'cut_off' IS NOT NULL
"""
# `+ 0` makes the planner expect one row, and look up more than one by key as well (see `checkpoint.many`).
_TAKE = """
        UPDATE step SET state = 'running', claim = step.claim + 1, leased_by = :worker,
            lease_expires_at = clock_timestamp() + make_interval(secs => :lease),
            started_at = clock_timestamp()
        FROM due WHERE step.id = due.id AND due.priority + 0 = due.priority RETURNING step.*"""
_READ = f"SELECT {_FIELDS} FROM s JOIN branch b ON b.id = s.branch_id JOIN run r ON r.id = s.run_id"  # noqa: S608
_TAKEN = f"""
    s AS ({_TAKE})
    {_READ}
    """
# `now()` and not `clock_timestamp()` in the condition: a volatile function could not use the index.
_CLAIM = f"""
    WITH due AS MATERIALIZED (
        SELECT id, priority FROM step
        WHERE state = 'ready' AND queue = :queue AND priority = :priority AND due_at <= now(){{more}}
        ORDER BY due_at LIMIT {{most}} FOR NO KEY UPDATE SKIP LOCKED),
    {_TAKEN}
    """  # noqa: S608 - constants
_OPEN = " AND NOT EXISTS (SELECT FROM queue q WHERE q.name = :queue AND q.paused_at IS NOT NULL)"
_CLAIM_OPEN = Hot(_CLAIM.format(most=1, more=_OPEN))
# The same as a part of another statement, which has locked its own rows as `g` first; nothing when there are none.
BESIDE = f""",
due AS MATERIALIZED (
    SELECT id, priority FROM step
    WHERE state = 'ready' AND queue = :queue_ahead AND priority = :priority_ahead AND due_at <= now()
        AND EXISTS (SELECT FROM g)
    ORDER BY due_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED),
s AS ({_TAKE}),
taken AS ({_READ})"""  # noqa: S608 - constants
_RELOAD = Hot(
    f"""
    SELECT {_FIELDS} FROM step s JOIN branch b ON b.id = s.branch_id JOIN run r ON r.id = s.run_id
    WHERE s.id = :step AND s.claim = :claim AND s.state = 'running'
    """  # noqa: S608 - constants
)
# A loose index scan: one probe per (queue, priority) pair, however many steps are due or far in the future. Whoever
# looks for work looks here first, so this is where a paused queue is passed over; the claim itself never asks.
_PAIR = """
    WITH RECURSIVE pair AS (
        (SELECT queue, priority FROM step WHERE state = 'ready' ORDER BY queue, priority LIMIT 1)
        UNION ALL
        SELECT n.queue, n.priority FROM pair p CROSS JOIN LATERAL (
            SELECT queue, priority FROM step WHERE state = 'ready' AND (queue, priority) > (p.queue, p.priority)
            ORDER BY queue, priority LIMIT 1) n),
    first AS (
        SELECT pair.queue, pair.priority, step.due_at FROM pair CROSS JOIN LATERAL (
            SELECT due_at FROM step s WHERE s.state = 'ready' AND s.queue = pair.queue AND s.priority = pair.priority
            ORDER BY due_at LIMIT 1) step
        WHERE NOT EXISTS (SELECT FROM queue q WHERE q.name = pair.queue AND q.paused_at IS NOT NULL))
    """
_PAIRS = Statement(
    f"""
    {_PAIR}
    SELECT queue, priority, extract(epoch FROM due_at - clock_timestamp())::float8 FROM first
    ORDER BY priority, due_at
    """  # noqa: S608 - constants
)
# Both at once: the pairs with due steps, most urgent first, and the claim from the first that still has one. `LIMIT 1`
# ends the loop over the pairs, so nothing is locked that is not taken.
_CLAIM_FIRST = Hot(
    f"""
    {_PAIR},
    urgent AS MATERIALIZED (
        SELECT queue, priority FROM first
        WHERE due_at <= now() AND (cardinality(:queues::text[]) = 0 OR queue = ANY(:queues::text[]))
        ORDER BY priority, due_at),
    due AS MATERIALIZED (
        SELECT next.id, urgent.priority FROM urgent CROSS JOIN LATERAL (
            SELECT id FROM step
            WHERE state = 'ready' AND queue = urgent.queue AND priority = urgent.priority AND due_at <= now()
            ORDER BY due_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) next
        LIMIT 1),
    {_TAKEN}
    """  # noqa: S608 - constants
)
_PAUSED = Statement("SELECT name FROM queue WHERE paused_at IS NOT NULL")
# The first crash is tried again at once (a deploy, an unlucky kill); a step that kills its workers waits longer.
_FREE = """
    WITH dead AS MATERIALIZED (
        SELECT id, leased_by FROM step WHERE state = 'running' AND {condition}
        ORDER BY lease_expires_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED),
    freed AS (
        UPDATE step SET state = 'ready', due_at = clock_timestamp() + make_interval(secs => 5 * step.crashes),
            leased_by = NULL, lease_expires_at = NULL, crashes = step.crashes + {crashed}, attempt = step.attempt + 1
        FROM dead WHERE step.id = dead.id RETURNING step.id, step.attempt, step.input, step.started_at,
            dead.leased_by)
    INSERT INTO attempt (step_id, number, outcome, input, error, log, worker, code_version, started_at, finished_at)
    SELECT id, attempt, 'crashed', input,
        jsonb_build_object('code', 'crashed', 'message', :why::text, 'retryable', true),
        '[]', leased_by, '', started_at, clock_timestamp()
    FROM freed RETURNING step_id
    """
_EXPIRED = "lease_expires_at < now()"
_SIGNED_OFF = f"{_EXPIRED} AND NOT EXISTS (SELECT FROM worker w WHERE w.id = leased_by AND w.stopped_at IS NULL)"
# A step that is still its run's start becomes the first call, which its document names unless that lies in a block.
_ASKS_A_PERSON = """
    CASE WHEN EXISTS (
        SELECT FROM run r LEFT JOIN workflow_version d ON d.id = r.workflow_version_id
            JOIN action_version v ON v.on_crash = 'park' JOIN action a ON a.id = v.action_id
        WHERE r.id = step.run_id AND (v.id = step.action_version_id OR step.kind = 'start' AND (
            a.name || ':' || v.version = step.function
            OR step.function = '' AND a.name || ':' || v.version IN (SELECT value FROM jsonb_each_text(d.lock)))))
    THEN 1 ELSE 0 END"""
_REAP = Statement(_FREE.format(condition=_EXPIRED, crashed="1"))
_REAP_SIGNED_OFF = Statement(_FREE.format(condition=_SIGNED_OFF, crashed="1"))
_BURY = Statement(_FREE.format(condition="leased_by = :worker", crashed="1"))
_HAND_BACK = Statement(_FREE.format(condition="leased_by = :worker", crashed=_ASKS_A_PERSON))
# The attempt is recorded by the next worker that claims the step, as the policy of its action says.
_CUT_OFF = Statement(
    """
    UPDATE step SET state = 'ready', due_at = clock_timestamp(), leased_by = NULL, lease_expires_at = NULL,
        error = jsonb_build_object('code', 'timeout', 'message', :why::text, 'retryable', true,
            'cut_off', jsonb_build_object('began_at', started_at, 'worker', leased_by))
    WHERE id IN (SELECT id FROM step WHERE state = 'running' AND leased_by = :worker FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id
    """
)
# Parameters: lease seconds, step, claim. No row means that the lease was lost.
HEARTBEAT = """
    UPDATE step SET lease_expires_at = clock_timestamp() + make_interval(secs => %s)
    WHERE id = %s AND claim = %s AND state = 'running'
    """
_GIVE_BACK = Statement(
    """
    UPDATE step SET state = 'ready', leased_by = NULL, lease_expires_at = NULL
    WHERE id = ANY(:steps::uuid[]) AND leased_by = :worker AND state = 'running'
    """
)
_RELEASE = Statement(
    """
    UPDATE step SET state = 'ready', due_at = clock_timestamp(), leased_by = NULL, lease_expires_at = NULL
    WHERE state = 'running' AND leased_by = :worker RETURNING id
    """
)


@dataclass(slots=True)
class Claimed:
    """A step that this worker holds, with its branch and run as they were when it was read."""

    step: uuid.UUID
    key: str
    ref: str
    name: str
    kind: str
    function: str
    attempt: int
    failures: int
    claim: int
    crashes: int
    generation: int
    wake: int
    action_version: uuid.UUID | None
    queue: str
    priority: int
    input: Any
    branch: uuid.UUID
    branch_parent: uuid.UUID | None
    join_step: uuid.UUID | None
    branch_state: str
    rest: str
    revision: int
    cursor: dict[str, Any]
    audit_seq: int
    audit_head: bytes
    run: uuid.UUID
    run_kind: str
    run_state: str
    run_reason: str
    run_name: str
    workflow_version: uuid.UUID | None
    run_action_version: uuid.UUID | None
    run_input: Any
    context: Any
    run_queue: str
    run_priority: int
    run_created_at: datetime
    run_actor: str
    mail_seq: int
    parent_step: uuid.UUID | None
    root: uuid.UUID | None
    depth: int
    now: datetime
    cut_off: bool

    @property
    def stopped(self) -> bool:
        """Tell whether the run is parked or suspended: what would begin is then held."""
        return self.run_state in ("failed", "suspended")

    @property
    def over(self) -> bool:
        """Tell whether nothing more can come of this step: its run has ended, or its branch was left."""
        return self.ended or self.branch_state == "closed"

    @property
    def ended(self) -> bool:
        """Tell whether its run has ended: also as failed, when all that it had done is undone."""
        return self.run_state in RUN_FINAL or (self.run_state == "failed" and self.run_reason == UNDONE)


def take(queue: str, priority: int, worker: uuid.UUID, lease_seconds: float) -> Claimed | None:
    """Claim the step of this queue and priority that has been due longest, if any."""
    found = take_some(1, queue, priority, worker, lease_seconds)
    return found[0] if found else None


def take_unless_paused(queue: str, priority: int, worker: uuid.UUID, lease_seconds: float) -> Claimed | None:
    """Do the same unless an operator paused the queue, which `take` does not ask."""
    rows = _CLAIM_OPEN.rows({"queue": queue, "priority": priority, "worker": worker, "lease": lease_seconds})
    return claimed(rows[0]) if rows else None


def take_some(most: int, queue: str, priority: int, worker: uuid.UUID, lease_seconds: float) -> list[Claimed]:
    """Claim up to so many steps of this queue and priority, those that have been due longest.

    More than one: of those that never took a worker with them, so that what they are held beside does not count as
    their crash twice.
    """
    values = {"queue": queue, "priority": priority, "worker": worker, "lease": lease_seconds}
    return [claimed(row) for row in _claim(most).rows(values)]


def give_back(worker: uuid.UUID, steps: Sequence[uuid.UUID]) -> None:
    """Put steps of a worker that it has not begun back to where they were."""
    if steps:
        _GIVE_BACK.rows({"worker": worker, "steps": list(steps)})


def take_first(queues: Sequence[str], worker: uuid.UUID, lease_seconds: float) -> Claimed | None:
    """Claim the step that is most urgent, of any of these queues that is not paused; no queues means all of them."""
    rows = _CLAIM_FIRST.rows({"queues": list(queues), "worker": worker, "lease": lease_seconds})
    return claimed(rows[0]) if rows else None


def reload(step: uuid.UUID, claim: int) -> Claimed | None:
    """Read a held step again after its branch moved; None when the lease was lost."""
    rows = _RELOAD.rows({"step": step, "claim": claim})
    return claimed(rows[0]) if rows else None


def pairs() -> list[tuple[str, int, float]]:
    """Return each (queue, priority) with ready steps, most urgent first, and the seconds until its first is due.

    Queues that an operator paused are left out.
    """
    return [(queue, priority, seconds) for queue, priority, seconds in _PAIRS.rows()]


def paused() -> frozenset[str]:
    """Return the queues of which no step may begin."""
    return frozenset(row[0] for row in _PAUSED.rows())


def reap(*, signed_off: bool = False) -> list[uuid.UUID]:
    """Put up to 100 steps whose lease ran out back into the queue, counting a crash each; return their ids.

    With `signed_off` only those of workers that are known to have ended: no other one may be about to renew it.
    """
    return [row[0] for row in (_REAP_SIGNED_OFF if signed_off else _REAP).rows({"why": LOST})]


def bury(worker: uuid.UUID, why: str) -> int:
    """Put the steps of a worker known to be dead back into the queue at once, counting a crash each; return how many.

    One that a dying session still locks is left for the next time.
    """
    return len(_BURY.rows({"worker": worker, "why": why}))


def hand_back(worker: uuid.UUID, why: str) -> int:
    """Do the same for a worker that was ended for no fault of its step; a crash counts where a person must look."""
    return len(_HAND_BACK.rows({"worker": worker, "why": why}))


def cut_off(worker: uuid.UUID, why: str) -> int:
    """Free the step of a worker that was ended because its handler did not stop: that attempt timed out."""
    return len(_CUT_OFF.rows({"worker": worker, "why": why}))


def release(worker: uuid.UUID) -> int:
    """Hand everything that a living worker holds back, no crash counted: it does not know what it still holds.

    Twice: the first waits for a COMMIT that is still under way, and does not see the step that it hands to the worker.
    """
    return sum(len(_RELEASE.rows({"worker": worker})) for _ in range(2))


@lru_cache(maxsize=32)
def _claim(most: int) -> Hot:
    more = " AND crashes = 0" if most > 1 else ""
    return Hot(_CLAIM.format(most=most, more=more))


def claimed(row: Sequence[Any]) -> Claimed:
    """Read a row of `_FIELDS`; Django leaves jsonb as text."""
    held = Claimed(*row)
    for name in ("input", "cursor", "run_input", "context"):
        text = getattr(held, name)
        setattr(held, name, None if text is None else json.loads(text))
    return held
