"""The statement that records progress: one round trip, one commit, all or nothing.

The guard `g` locks first and everything else reads it: no row of `g` means that the lease was lost, the branch moved
or the run ended, and then nothing at all is written. No CTE may omit `g`; no row is written by two CTEs.
Locks are taken in the order run, branch, step; a checkpoint that does not write the run does not lock it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from audit.recording import Link
from workflows.claim import Claimed
from workflows.payloads import Packer
from workflows.sql import Statement

UNCHANGED = object()
FINISHED = ("succeeded", "failed", "cancelled", "skipped")


@dataclass(slots=True, kw_only=True)
class StepWrite:
    """What becomes of the held step. `delay_seconds` counts from the database's clock when it goes back to ready."""

    state: str
    key: str
    ref: str
    name: str
    kind: str
    function: str
    action_version: uuid.UUID | None
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    attempt: int = 0
    failures: int = 0
    delay_seconds: float = 0.0
    due_at: datetime | None = None
    queue: str = "default"


@dataclass(slots=True, kw_only=True)
class NextStep:
    """A step that begins: leased by `worker`, or ready at `due_at` (None: at once), or failed when it has an error."""

    id: uuid.UUID
    key: str
    ref: str
    name: str
    kind: str
    function: str = ""
    action_version: uuid.UUID | None = None
    input: Any = None
    due_at: datetime | None = None
    worker: uuid.UUID | None = None
    queue: str = "default"
    priority: int = 2
    error: dict[str, Any] | None = None

    @property
    def state(self) -> str:
        """Return the state in which the step begins."""
        if self.error is not None:
            return "failed"
        return "ready" if self.worker is None else "running"


@dataclass(slots=True, kw_only=True)
class AttemptWrite:
    """An attempt that is kept: it failed, timed out or logged something."""

    number: int
    outcome: str
    input: Any
    output: Any = None
    error: dict[str, Any] | None = None
    log: list[dict[str, Any]] = field(default_factory=list)
    worker: uuid.UUID | None = None
    code_version: str = ""
    started_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class RunWrite:
    """What becomes of the run. `context` is UNCHANGED or the new value, which may be null."""

    state: str
    reason: str = ""
    output: Any = None
    error: dict[str, Any] | None = None
    context: Any = UNCHANGED


@dataclass(slots=True, kw_only=True)
class Progress:
    """Everything that one checkpoint writes. `links` continue the branch's audit chain."""

    step: StepWrite
    cursor: dict[str, Any]
    links: Sequence[Link]
    next: Sequence[NextStep] = ()
    attempt: AttemptWrite | None = None
    run: RunWrite | None = None


def write(held: Claimed, progress: Progress, lease_seconds: float) -> datetime | None:
    """Record `progress` for the held step; return the database's time, or None when nothing was written."""
    packer = Packer()
    values = _values(held, progress, packer, lease_seconds)
    shape = (
        progress.run is not None,
        progress.attempt is not None,
        len(progress.next),
        len(progress.links),
        len(packer.payloads),
    )
    for i, (digest, text) in enumerate(packer.payloads.items()):
        values |= {f"p{i}_digest": digest, f"p{i}_value": text}
    rows = _statement(*shape).rows(values)
    return rows[0][0] if rows else None


def held_after(held: Claimed, progress: Progress, following: NextStep, now: datetime) -> Claimed:
    """Return the step that a checkpoint leased to its writer, as a claim would have returned it."""
    last, run = progress.links[-1], progress.run
    return replace(
        held,
        step=following.id,
        key=following.key,
        ref=following.ref,
        name=following.name,
        kind=following.kind,
        function=following.function,
        attempt=0,
        failures=0,
        claim=1,
        crashes=0,
        generation=0,
        wake=0,
        action_version=following.action_version,
        queue=following.queue,
        priority=following.priority,
        input=following.input,
        revision=held.revision + 1,
        cursor=progress.cursor,
        audit_seq=last.seq,
        audit_head=last.hash,
        run_state=run.state if run else held.run_state,
        run_reason=run.reason if run else held.run_reason,
        now=now,
    )


_GUARD = """
WITH g AS MATERIALIZED (
    SELECT r.id AS run, b.id AS branch, s.id AS step
    FROM run r JOIN branch b ON b.run_id = r.id JOIN step s ON s.branch_id = b.id
    WHERE r.id = :run AND r.state NOT IN ('succeeded', 'cancelled') AND b.id = :branch AND b.revision = :revision
        AND s.id = :step AND s.claim = :claim AND s.state = 'running'
    FOR NO KEY UPDATE OF {locks}),
done AS (
    UPDATE step s SET
        state = CASE WHEN :state::text = 'waiting' AND s.wake > :wake THEN 'ready' ELSE :state::text END,
        key = :key, ref = :ref, name = :name, kind = :kind, function = :function,
        action_version_id = :action_version, queue = :queue, input = :input, output = :output, error = :error,
        attempt = :attempt, failures = :failures, leased_by = NULL, lease_expires_at = NULL,
        due_at = coalesce(:due_at::timestamptz, clock_timestamp() + make_interval(secs => :delay::float8)),
        finished_at = CASE WHEN :finished::bool THEN clock_timestamp() END
    FROM g WHERE s.id = g.step),
moved AS (
    UPDATE branch b SET revision = b.revision + 1, cursor = :cursor, audit_seq = :audit_seq, audit_head = :audit_head,
        state = :branch_state
    FROM g WHERE b.id = g.branch)"""
_RUN = """,
ran AS (
    UPDATE run r SET state = :run_state, reason = :run_reason, output = :run_output, error = :run_error,
        context = coalesce(:run_context::jsonb, r.context), started_at = coalesce(r.started_at, clock_timestamp()),
        finished_at = CASE WHEN :run_final::bool THEN clock_timestamp() END
    FROM g WHERE r.id = g.run)"""
_ATTEMPT = """,
tried AS (
    INSERT INTO attempt (step_id, number, outcome, input, output, error, log, worker, code_version, started_at,
        finished_at)
    SELECT g.step, :a_number, :a_outcome, :a_input::jsonb, :a_output::jsonb, :a_error::jsonb, :a_log::jsonb,
        :a_worker::uuid, :a_code, :a_started::timestamptz, greatest(clock_timestamp(), :a_started::timestamptz)
    FROM g)"""
_NEXT = """,
next{i} AS (
    INSERT INTO step (id, run_id, branch_id, key, ref, name, kind, function, state, due_at, attempt, failures, claim,
        crashes, generation, wake, leased_by, lease_expires_at, action_version_id, queue, priority, input, error,
        created_at, started_at, finished_at)
    SELECT :n{i}_id, g.run, g.branch, :n{i}_key, :n{i}_ref, :n{i}_name, :n{i}_kind, :n{i}_function, :n{i}_state::text,
        coalesce(:n{i}_due::timestamptz, clock_timestamp()), 0, 0, :n{i}_claim, 0, 0, 0, :n{i}_worker::uuid,
        CASE WHEN :n{i}_state::text = 'running' THEN clock_timestamp() + make_interval(secs => :lease::float8) END,
        :n{i}_action::uuid, :n{i}_queue, :n{i}_priority, :n{i}_input::jsonb, :n{i}_error::jsonb, clock_timestamp(),
        CASE WHEN :n{i}_state::text = 'running' THEN clock_timestamp() END,
        CASE WHEN :n{i}_state::text = 'failed' THEN clock_timestamp() END
    FROM g)"""
_LINK = """,
link{i} AS (
    INSERT INTO audit_event (chain, seq, run, kind, actor, reason, at, data, hash)
    SELECT g.branch, :l{i}_seq, g.run, :l{i}_kind, :l{i}_actor, :l{i}_reason, :l{i}_at, :l{i}_data, :l{i}_hash
    FROM g)"""
_PAYLOAD = """,
pay{i} AS (
    INSERT INTO payload (run_id, digest, value) SELECT g.run, :p{i}_digest, :p{i}_value::jsonb FROM g
    ON CONFLICT (run_id, digest) DO NOTHING)"""


@lru_cache(maxsize=256)
def _statement(run: bool, attempt: bool, nexts: int, links: int, payloads: int) -> Statement:
    parts = [_GUARD.replace("{locks}", "r, b, s" if run else "b, s")]
    parts += [_RUN] if run else []
    parts += [_ATTEMPT] if attempt else []
    parts += [_NEXT.replace("{i}", str(i)) for i in range(nexts)]
    parts += [_LINK.replace("{i}", str(i)) for i in range(links)]
    parts += [_PAYLOAD.replace("{i}", str(i)) for i in range(payloads)]
    return Statement("".join(parts) + "\nSELECT clock_timestamp() FROM g")


def _values(held: Claimed, progress: Progress, packer: Packer, lease_seconds: float) -> dict[str, Any]:
    step, run = progress.step, progress.run
    last = progress.links[-1] if progress.links else None
    final = run is not None and run.state in ("succeeded", "cancelled")
    values: dict[str, Any] = {
        "run": held.run,
        "branch": held.branch,
        "revision": held.revision,
        "step": held.step,
        "claim": held.claim,
        "wake": held.wake,
        "lease": lease_seconds,
        "state": step.state,
        "key": step.key,
        "ref": step.ref,
        "name": step.name,
        "kind": step.kind,
        "function": step.function,
        "action_version": step.action_version,
        "input": _optional(packer, step.input),
        "output": packer.pack(step.output) if step.state in ("succeeded", "skipped") else None,
        "error": _optional(packer, step.error),
        "attempt": step.attempt,
        "failures": step.failures,
        "due_at": step.due_at,
        "queue": step.queue,
        "delay": step.delay_seconds,
        "finished": step.state in FINISHED,
        "cursor": packer.cursor(progress.cursor),
        "audit_seq": last.seq if last else held.audit_seq,
        "audit_head": last.hash if last else held.audit_head,
        "branch_state": "closed" if final else "open",
    }
    if run is not None:
        values |= _run_values(run, final, packer)
    if progress.attempt is not None:
        values |= _attempt_values(progress.attempt, packer)
    for i, item in enumerate(progress.next):
        values |= _next_values(f"n{i}_", item, packer)
    for i, link in enumerate(progress.links):
        values |= _link_values(f"l{i}_", link)
    return values


def _run_values(run: RunWrite, final: bool, packer: Packer) -> dict[str, Any]:
    return {
        "run_state": run.state,
        "run_reason": run.reason,
        "run_output": packer.pack(run.output) if run.state == "succeeded" else None,
        "run_error": _optional(packer, run.error),
        "run_context": None if run.context is UNCHANGED else packer.pack(run.context),
        "run_final": final,
    }


def _attempt_values(attempt: AttemptWrite, packer: Packer) -> dict[str, Any]:
    return {
        "a_number": attempt.number,
        "a_outcome": attempt.outcome,
        "a_input": _optional(packer, attempt.input),
        "a_output": packer.pack(attempt.output) if attempt.outcome == "succeeded" else None,
        "a_error": _optional(packer, attempt.error),
        "a_log": packer.pack(attempt.log),
        "a_worker": attempt.worker,
        "a_code": attempt.code_version,
        "a_started": attempt.started_at,
    }


def _next_values(prefix: str, item: NextStep, packer: Packer) -> dict[str, Any]:
    return {
        prefix + "id": item.id,
        prefix + "key": item.key,
        prefix + "ref": item.ref,
        prefix + "name": item.name,
        prefix + "kind": item.kind,
        prefix + "function": item.function,
        prefix + "action": item.action_version,
        prefix + "input": _optional(packer, item.input),
        prefix + "due": item.due_at,
        prefix + "worker": item.worker,
        prefix + "state": item.state,
        prefix + "claim": 1 if item.state == "running" else 0,
        prefix + "error": _optional(packer, item.error),
        prefix + "queue": item.queue,
        prefix + "priority": item.priority,
    }


def _link_values(prefix: str, link: Link) -> dict[str, Any]:
    return {
        prefix + "seq": link.seq,
        prefix + "kind": link.kind,
        prefix + "actor": link.actor,
        prefix + "reason": link.reason,
        prefix + "at": link.at,
        prefix + "data": link.data,
        prefix + "hash": link.hash,
    }


def _optional(packer: Packer, value: Any) -> str | None:
    return None if value is None else packer.pack(value)
