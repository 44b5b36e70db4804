"""Checkpoints of several runs in one statement and one commit: what `worker` calls a shared commit.

Only plain checkpoints fit: a step that ends, its branch, at most one step that follows, links, payloads, and the run.
Those of several steps of a run in a row are one checkpoint: the last one's, of the first one's step.
"""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from workflows.checkpoint import shared
from workflows.checkpoint.progress import UNCHANGED, Ended, Progress, RunWrite
from workflows.checkpoint.statement import Taking, Written, begins_at_once, is_usual
from workflows.checkpoint.values import ended_row, row_of
from workflows.claim import Claimed, claimed
from workflows.payloads import Packer


class Item(NamedTuple):
    """What is to be recorded of a held step, and of those behind it that have ended as well.

    `done` is when the held one had ended, by `time.monotonic`, when that is longer ago than its commit.
    """

    held: Claimed
    progress: Progress
    ended: Sequence[Ended] = ()
    done: float | None = None


class WrittenMany(NamedTuple):
    """What became of each item, None where nothing was written; and which steps were claimed beside them."""

    items: list[Written | None]
    taken: list[Claimed]


def fits(progress: Progress) -> bool:
    """Tell whether a checkpoint can share its commit: it writes nothing but its own branch, and at most one step."""
    run = progress.run
    beside = (
        progress.attempt, progress.branches, progress.closed, progress.over, progress.woken, progress.messages,
        progress.listens, progress.subscriptions, progress.unsubscribe, progress.undos, progress.undoing,
        progress.undone,
    )  # fmt: skip
    return not any(beside) and len(progress.next) <= 1 and (run is None or run.seen_context is UNCHANGED)


def joined(first: Progress, then: Progress) -> Progress:
    """Return the checkpoint of two steps in a row, both of which fit: the second began behind the first and ended."""
    return replace(then, step=first.step, links=[*first.links, *then.links], run=_run(first.run, then.run))


def write_many(items: Sequence[Item], lease_seconds: float, taking: Taking | None = None) -> WrittenMany:
    """Record progress that `fits`, each of another run, in one commit, and claim what is due behind it.

    Raises CursorTooLarge: nothing is written then, or claimed.
    """
    packers = [Packer(item.held.run) for item in items]
    usual = [is_usual(item.held, item.progress) for item in items]
    now = time.monotonic()
    rows = [
        {"number": number, "ago": now - (item.done or now)} | row_of(item.held, item.progress, packer, is_so)
        for number, (item, packer, is_so) in enumerate(zip(items, packers, usual, strict=True))
    ]
    ended = _ended(items, packers, now)
    links, payloads = _links(items), _payloads(packers)
    shape = shared.Shape(
        changed=not all(usual),
        run=not all(usual) or any(item.progress.run is not None for item in items),
        at_once=all(begins_at_once(item.progress) for item in items if item.progress.next),
        ended=bool(ended),
        payloads=bool(payloads),
        takes=taking is not None,
    )
    values = {"rows": _text(rows), "links": _text(links), "payloads": _text(payloads), "lease": lease_seconds}
    values |= {"ended": _text(ended)} if ended else {}
    values |= _taking(taking) if taking else {}
    came = shared.statement(shape).rows(values)
    found = {row[0]: Written(row[1], row[2]) for row in came if row[0] is not None}
    for number in found:
        packers[number].kept()
    taken = [claimed(row[3:]) for row in came if row[0] is None]
    return WrittenMany([found.get(number) for number in range(len(items))], taken)


def _taking(taking: Taking) -> dict[str, Any]:
    return {
        "queue_ahead": taking.queue,
        "priority_ahead": taking.priority,
        "most_ahead": taking.most,
        "worker": taking.worker,
    }


def _links(items: Sequence[Item]) -> list[dict[str, Any]]:
    return [
        {"number": number, "seq": link.seq, "kind": link.kind, "actor": link.actor, "reason": link.reason,
         "at": link.at, "data": link.data, "hash": link.hash}
        for number, item in enumerate(items) for link in item.progress.links
    ]  # fmt: skip


def _ended(items: Sequence[Item], packers: Sequence[Packer], now: float) -> list[dict[str, Any]]:
    return [
        {"number": number} | ended_row(step, packer, now)
        for number, (item, packer) in enumerate(zip(items, packers, strict=True))
        for step in item.ended
    ]


def _run(first: RunWrite | None, then: RunWrite | None) -> RunWrite | None:
    """Return what becomes of a run by one write after the other."""
    if first is None or then is None:
        return then or first
    last = first if then.keep else then
    return replace(last, context=first.context if then.context is UNCHANGED else then.context)


def _payloads(packers: Sequence[Packer]) -> list[dict[str, Any]]:
    return [
        {"number": number, "digest": digest, "value": text}
        for number, packer in enumerate(packers)
        for digest, text in packer.payloads.items()
    ]


def _plain(value: Any) -> str:
    """Return what PostgreSQL reads as a value that JSON has not."""
    if isinstance(value, uuid.UUID):
        return value.hex
    return value.isoformat() if isinstance(value, datetime) else "\\x" + bytes(value).hex()


_text = json.JSONEncoder(default=_plain, check_circular=False, separators=(",", ":")).encode
