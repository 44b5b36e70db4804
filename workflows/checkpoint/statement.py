"""The statement that records progress: one round trip, one commit, all or nothing.

The guard `g` locks first and everything else reads it: no row of `g` means that the lease was lost, the branch moved
or the run ended, and then nothing at all is written. No CTE may omit `g`; no row is written by two CTEs.
Locks are taken in the order run, parent branch, branch, step; the run only where it is written.
"""

import json
import uuid
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import transaction

from workflows.checkpoint import parts
from workflows.checkpoint.progress import UNCHANGED, NextStep, Progress
from workflows.checkpoint.values import values_of
from workflows.claim import BESIDE, Claimed, claimed
from workflows.payloads import Packer
from workflows.sql import Hot


class Written(NamedTuple):
    """The database's time of a checkpoint, and the run's state as other branches had left it.

    `context` is the run's as stored, where another branch may have exported: UNCHANGED in a run's only branch. `taken`
    is the step that was claimed beside it.
    """

    now: datetime
    run_state: str
    context: Any = UNCHANGED
    taken: Claimed | None = None


class Taking(NamedTuple):
    """Where a checkpoint is to claim the next step for its writer, or so many of them in a shared commit."""

    queue: str
    priority: int
    worker: uuid.UUID
    most: int = 1


class Shape(NamedTuple):
    """Which parts a statement has; each shape is prepared once per connection.

    `usual`: the step succeeds as it was begun, its branch moves on. `at_once`: its writer goes on with what follows.
    """

    usual: bool
    at_once: bool
    run: bool
    context: bool
    shared: bool
    listens: bool
    closed: bool
    not_last: bool
    attempt: bool
    fork: bool
    over: bool
    woken: bool
    messages: bool
    subscribe: bool
    unsubscribe: bool
    undoing: bool
    undone: bool
    takes: bool
    undos: int
    nexts: int
    links: int
    payloads: int


def write(held: Claimed, progress: Progress, lease_seconds: float, taking: Taking | None = None) -> Written | None:
    """Record `progress` for the held step; None when nothing was written, or claimed. Raises CursorTooLarge."""
    packer, usual = Packer(held.run), is_usual(held, progress)
    values = values_of(held, progress, packer, lease_seconds, usual)
    if taking is not None:
        values |= {"queue_ahead": taking.queue, "priority_ahead": taking.priority, "worker": taking.worker}
    shape = _shape(held, progress, usual, taking is not None, len(packer.payloads))
    rows = _statement(shape).rows(values)
    if not rows:
        return None
    if packer.payloads:
        transaction.on_commit(packer.kept)
    now, run_state, *more = rows[0]
    if taking is not None:
        return Written(now, run_state, taken=claimed(more) if more[0] is not None else None)
    return Written(now, run_state, json.loads(more[0]) if more else UNCHANGED)


def held_after(held: Claimed, progress: Progress, following: NextStep, written: Written) -> Claimed:
    """Return the step that a checkpoint leased to its writer, as a claim would have returned it."""
    last, run = progress.links[-1], progress.run
    return Claimed(  # all by hand: `dataclasses.replace` takes three times as long
        step=following.id,
        key=following.key,
        ref=following.ref,
        name=following.name,
        kind=following.kind,
        function=following.function,
        attempt=0,
        failures=0,
        claim=following.claim + 1,
        crashes=0,
        generation=following.generation,
        wake=0,
        action_version=following.action_version,
        queue=following.queue,
        priority=following.priority,
        input=following.input,
        branch=held.branch,
        branch_parent=held.branch_parent,
        join_step=held.join_step,
        branch_state=held.branch_state,
        rest=progress.rest,
        revision=held.revision + 1,
        cursor=progress.cursor,
        audit_seq=last.seq,
        audit_head=last.hash,
        run=held.run,
        run_kind=held.run_kind,
        run_state=run.state if run else written.run_state,
        run_reason=run.reason if run else held.run_reason,
        run_name=held.run_name,
        workflow_version=held.workflow_version,
        run_action_version=held.run_action_version,
        run_input=held.run_input,
        context=UNCHANGED if run and run.context is not UNCHANGED else written.context,
        run_queue=held.run_queue,
        run_priority=held.run_priority,
        run_created_at=held.run_created_at,
        run_actor=held.run_actor,
        mail_seq=held.mail_seq,
        parent_step=held.parent_step,
        root=held.root,
        depth=held.depth,
        now=written.now,
        cut_off=False,
    )


def is_usual(held: Claimed, progress: Progress) -> bool:
    """Tell whether nothing of the step changes but that it succeeded, and its branch stays open."""
    step, run = progress.step, progress.run
    return (
        step.state == "succeeded"
        and step.input is held.input
        and step.key == held.key
        and step.kind == held.kind
        and step.function == held.function
        and step.name == held.name
        and step.ref == held.ref
        and step.queue == held.queue
        and step.action_version == held.action_version
        and step.failures == held.failures
        and step.generation == held.generation
        and progress.closed is None
        and held.branch_state == "open"
        and (run is None or run.state not in ("succeeded", "cancelled"))
    )


def begins_at_once(progress: Progress) -> bool:
    """Tell whether one step follows, and the writer goes on with it."""
    following = progress.next[0] if len(progress.next) == 1 else None
    return following is not None and following.worker is not None and not (following.error or following.due_at)


def _shape(held: Claimed, progress: Progress, usual: bool, takes: bool, payloads: int) -> Shape:
    run, closed = progress.run, progress.closed
    return Shape(
        usual=usual,
        at_once=begins_at_once(progress),
        run=run is not None,
        context=run is not None and run.seen_context is not UNCHANGED,
        shared=held.branch_parent is not None and any(step.worker is not None for step in progress.next),
        listens=progress.listens,
        closed=closed is not None,
        not_last=closed is not None and closed.not_last,
        attempt=progress.attempt is not None,
        fork=bool(progress.branches),
        over=bool(progress.over),
        woken=bool(progress.woken),
        messages=bool(progress.messages),
        subscribe=bool(progress.subscriptions),
        unsubscribe=progress.unsubscribe,
        undoing=progress.undoing is not None,
        undone=progress.undone,
        takes=takes,
        undos=len(progress.undos),
        nexts=len(progress.next),
        links=len(progress.links),
        payloads=payloads,
    )


@lru_cache(maxsize=512)
def _statement(shape: Shape) -> Hot:
    text = [parts.guard(shape)]
    text += [part for name, part in parts.OPTIONAL.items() if getattr(shape, name)]
    for count, part in (
        (shape.undos, parts.UNDO),
        (shape.nexts, parts.NEXT_AT_ONCE if shape.at_once else parts.NEXT),
        (shape.links, parts.LINK),
        (shape.payloads, parts.PAYLOAD),
    ):
        text += [part.replace("{i}", str(i)) for i in range(count)]
    more, beside = (", g.run_context" if shape.shared else ""), ""
    if shape.takes:
        text, more, beside = [*text, BESIDE], ", taken.*", " LEFT JOIN taken ON true"
    return Hot("".join(text) + f"\nSELECT clock_timestamp(), g.run_state{more} FROM g{beside}")
