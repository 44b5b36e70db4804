"""The parameters of a checkpoint's statement."""

from typing import Any

from workflows.checkpoint.progress import (
    UNCHANGED,
    AttemptWrite,
    BranchWrite,
    Ended,
    NextStep,
    Progress,
    RunWrite,
    StepWrite,
    UndoWrite,
)
from workflows.claim import Claimed
from workflows.payloads import Packer

FINISHED = ("succeeded", "failed", "cancelled", "skipped")
LARGEST_CURSOR = 1 << 20


class CursorTooLarge(Exception):
    """What the engine has to remember of a branch is larger than 1 MiB."""


def values_of(
    held: Claimed, progress: Progress, packer: Packer, lease_seconds: float, usual: bool = False
) -> dict[str, Any]:
    """Return all parameters; `packer` collects the payloads on the way. Raises CursorTooLarge.

    For a `usual` step only those that its statement has.
    """
    values = row_of(held, progress, packer, usual)
    values["lease"] = lease_seconds
    values |= _attempt_values(progress.attempt, packer) if progress.attempt else {}
    values |= _fork_values(held, progress, packer) if progress.branches else {}
    values |= _subscription_values(progress) if progress.subscriptions else {}
    values |= {"over": list(progress.over)} if progress.over else {}
    values |= {"woken": progress.woken, "stopped": held.stopped} if progress.woken else {}
    values |= {"messages": list(progress.messages)} if progress.messages else {}
    values |= {"mail_seq": held.mail_seq} if progress.listens else {}
    values |= {"undoing_id": progress.undoing[0], "undoing_step": progress.undoing[1]} if progress.undoing else {}
    for i, undo in enumerate(progress.undos):
        values |= _undo_values(f"u{i}_", undo, packer)
    for i, item in enumerate(progress.next[1:], 1):
        values |= _next_values(f"n{i}_", item, packer)
    for i, link in enumerate(progress.links):
        values |= {f"l{i}_{name}": getattr(link, name) for name in LINK}
    for i, (digest, text) in enumerate(packer.payloads.items()):
        values |= {f"p{i}_digest": digest, f"p{i}_value": text}
    return values


def row_of(held: Claimed, progress: Progress, packer: Packer, usual: bool = False) -> dict[str, Any]:
    """Return the parameters of the step, its branch, its run and the step that follows. Raises CursorTooLarge."""
    last = progress.links[-1] if progress.links else None
    values: dict[str, Any] = {
        "run": held.run,
        "branch": held.branch,
        "revision": held.revision,
        "step": held.step,
        "claim": held.claim,
        "output": packer.pack(progress.step.output) if progress.step.state in ("succeeded", "skipped") else None,
        "attempt": progress.step.attempt,
        "cursor": _cursor(packer, progress.cursor),
        "audit_seq": last.seq if last else held.audit_seq,
        "audit_head": last.hash if last else held.audit_head,
        "rest": progress.rest,
    }
    values |= {} if usual else _changed_values(held, progress, packer)
    values |= _run_values(progress.run, packer) if progress.run else {}
    values |= _next_values("n0_", progress.next[0], packer) if progress.next else {}
    return values


def ended_row(ended: Ended, packer: Packer, now: float) -> dict[str, Any]:
    """Return the row of a step that has begun and ended; `began` and `done` as seconds before `now`."""
    begun_as, step = ended.begun_as, ended.step
    return {
        **_named(step),
        "id": begun_as.id,
        "priority": begun_as.priority,
        "input": _optional(packer, step.input),
        "output": packer.pack(step.output),
        "attempt": step.attempt,
        "claim": begun_as.claim + 1,
        "began": now - ended.began,
        "done": now - ended.done,
    }


def _changed_values(held: Claimed, progress: Progress, packer: Packer) -> dict[str, Any]:
    """Return what may change of a step and its branch beside what changes of the usual ones."""
    step, closed = progress.step, progress.closed
    return {
        "wake": held.wake,
        **_named(step),
        "state": step.state,
        "input": _optional(packer, step.input),
        "error": _optional(packer, step.error),
        "caught": step.caught,
        "failures": step.failures,
        "due_at": step.due_at,
        "delay": step.delay_seconds,
        "finished": step.state in FINISHED,
        "branch_state": "closed" if closed or _ends(progress.run) else "open",
        "branch_output": packer.pack(closed.output) if closed and closed.error is None else None,
        "branch_error": _optional(packer, closed.error) if closed else None,
        "stopped": held.stopped,
        "join_step": held.join_step,
        "join_last": closed is not None and closed.last,
        "branch_steps": closed.steps if closed else 0,
    }


def _named(step: StepWrite) -> dict[str, Any]:
    """Return what a step is, whether it is updated or inserted."""
    return {
        "key": step.key,
        "ref": step.ref,
        "name": step.name,
        "kind": step.kind,
        "function": step.function,
        "action_version": step.action_version,
        "queue": step.queue,
        "generation": step.generation,
    }


def _ends(run: RunWrite | None) -> bool:
    return run is not None and run.state in ("succeeded", "cancelled")


LINK = ("seq", "kind", "actor", "reason", "at", "data", "hash")


def _cursor(packer: Packer, cursor: dict[str, Any]) -> str:
    text = packer.cursor(cursor)
    if len(text) > LARGEST_CURSOR:
        deepest = (cursor.get("frames") or [{}])[-1].get("key", "")
        raise CursorTooLarge(f"what has to be remembered at {deepest or '/'} is larger than {LARGEST_CURSOR} bytes")
    return text


def _run_values(run: RunWrite, packer: Packer) -> dict[str, Any]:
    return {
        "run_state": run.state,
        "run_reason": run.reason,
        "run_output": packer.pack(run.output) if run.state == "succeeded" else None,
        "run_error": _optional(packer, run.error),
        "run_context": None if run.context is UNCHANGED else packer.pack(run.context),
        "run_final": _ends(run),
        "run_keep": run.keep,
        "seen_context": None if run.seen_context is UNCHANGED else packer.pack(run.seen_context),
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


def _fork_values(held: Claimed, progress: Progress, packer: Packer) -> dict[str, Any]:
    rows = progress.branches
    join = next((step.id for step in progress.next if step.kind == "join"), held.step)
    return {
        "f_join": join,
        "f_open": len(rows),
        "f_ids": [row.id for row in rows],
        "f_steps": [row.step for row in rows],
        "f_frames": [row.frame for row in rows],
        "f_indexes": [row.index for row in rows],
        "f_refs": [row.ref for row in rows],
        "f_names": [row.name for row in rows],
        "f_cursors": _branch_cursors(rows, packer),
        "f_heads": [row.link.hash for row in rows],
        "f_datas": [row.link.data for row in rows],
        "f_actor": rows[0].link.actor,
        "f_at": rows[0].link.at,
        "f_state": "held" if held.stopped else "ready",
        "f_queue": held.run_queue,
        "f_priority": held.run_priority,
    }


def _branch_cursors(rows: Any, packer: Packer) -> list[str]:
    found: list[BranchWrite] = list(rows)
    return [_cursor(packer, row.cursor) for row in found]


def _subscription_values(progress: Progress) -> dict[str, Any]:
    rows = progress.subscriptions
    return {
        "s_steps": [row.step for row in rows],
        "s_indexes": [row.index for row in rows],
        "s_types": [row.type for row in rows],
        "s_sources": [row.source for row in rows],
        "s_froms": [row.correlate_from for row in rows],
        "s_hashes": [row.correlate_hash for row in rows],
    }


def _undo_values(prefix: str, undo: UndoWrite, packer: Packer) -> dict[str, Any]:
    return {
        prefix + "place": undo.place,
        prefix + "key": undo.key,
        prefix + "ref": undo.ref,
        prefix + "name": undo.name,
        prefix + "function": undo.function,
        prefix + "action": undo.action_version,
        prefix + "input": packer.pack(undo.input),
        prefix + "step": undo.step,
    }


def _next_values(prefix: str, item: NextStep, packer: Packer) -> dict[str, Any]:
    state = "failed" if item.error is not None else "running" if item.worker else item.state
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
        prefix + "state": state,
        prefix + "claim": item.claim + (state == "running"),
        prefix + "generation": item.generation,
        prefix + "error": _optional(packer, item.error),
        prefix + "queue": item.queue,
        prefix + "priority": item.priority,
    }


def _optional(packer: Packer, value: Any) -> str | None:
    return None if value is None else packer.pack(value)
