"""The statement that records progress: one round trip, one commit, all or nothing.

The guard `g` locks first and everything else reads it: no row of `g` means that the lease was lost, the branch moved
or the run ended, and then nothing at all is written. No CTE may omit `g`; no row is written by two CTEs.
Locks are taken in the order run, parent branch, branch, step; the run only where it is written.
"""

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from django.db import transaction

from workflows.checkpoint import parts
from workflows.checkpoint.progress import NextStep, Progress
from workflows.checkpoint.values import values_of
from workflows.claim import Claimed
from workflows.payloads import Packer
from workflows.sql import Statement


class Written(NamedTuple):
    """The database's time of a checkpoint, and the run's state as other branches had left it."""

    now: datetime
    run_state: str


class Shape(NamedTuple):
    """Which parts a statement has; each shape is prepared once per connection."""

    run: bool
    context: bool
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
    undos: int
    nexts: int
    links: int
    payloads: int


def write(held: Claimed, progress: Progress, lease_seconds: float) -> Written | None:
    """Record `progress` for the held step; None when nothing was written. Raises CursorTooLarge."""
    packer = Packer(held.run)
    values = values_of(held, progress, packer, lease_seconds)
    rows = _statement(_shape(progress, len(packer.payloads))).rows(values)
    if not rows:
        return None
    if packer.payloads:
        transaction.on_commit(packer.kept)
    return Written(*rows[0])


def held_after(held: Claimed, progress: Progress, following: NextStep, written: Written) -> Claimed:
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
        generation=following.generation,
        wake=0,
        action_version=following.action_version,
        queue=following.queue,
        priority=following.priority,
        input=following.input,
        rest=progress.rest,
        revision=held.revision + 1,
        cursor=progress.cursor,
        audit_seq=last.seq,
        audit_head=last.hash,
        run_state=run.state if run else written.run_state,
        run_reason=run.reason if run else held.run_reason,
        now=written.now,
    )


def _shape(progress: Progress, payloads: int) -> Shape:
    run, closed = progress.run, progress.closed
    return Shape(
        run=run is not None,
        context=run is not None and run.seen_context is not parts.UNCHANGED,
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
        undos=len(progress.undos),
        nexts=len(progress.next),
        links=len(progress.links),
        payloads=payloads,
    )


@lru_cache(maxsize=512)
def _statement(shape: Shape) -> Statement:
    text = [parts.guard(shape)]
    text += [part for name, part in parts.OPTIONAL.items() if getattr(shape, name)]
    for count, part in (
        (shape.undos, parts.UNDO),
        (shape.nexts, parts.NEXT),
        (shape.links, parts.LINK),
        (shape.payloads, parts.PAYLOAD),
    ):
        text += [part.replace("{i}", str(i)) for i in range(count)]
    return Statement("".join(text) + "\nSELECT clock_timestamp(), g.run_state FROM g")
