"""Checkpoints of several runs in one statement and one commit: what `worker` calls a shared commit.

Only plain checkpoints fit: a step that ends, its branch, at most one step that follows, links, payloads, and the run.
"""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from workflows.checkpoint import shared
from workflows.checkpoint.progress import UNCHANGED, Progress
from workflows.checkpoint.statement import Taking, Written, begins_at_once, is_usual
from workflows.checkpoint.values import row_of
from workflows.claim import Claimed, claimed
from workflows.payloads import Packer

Item = tuple[Claimed, Progress]


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


def write_many(items: Sequence[Item], lease_seconds: float, taking: Taking | None = None) -> WrittenMany:
    """Record progress that `fits`, each of another run, in one commit, and claim what is due behind it.

    Raises CursorTooLarge: nothing is written then, or claimed.
    """
    packers = [Packer(held.run) for held, _ in items]
    usual = [is_usual(held, progress) for held, progress in items]
    rows = [
        {"number": number} | row_of(*item, packer, is_so)
        for number, (item, packer, is_so) in enumerate(zip(items, packers, usual, strict=True))
    ]
    links, payloads = _links(items), _payloads(packers)
    shape = shared.Shape(
        changed=not all(usual),
        run=not all(usual) or any(progress.run is not None for _, progress in items),
        at_once=all(begins_at_once(progress) for _, progress in items if progress.next),
        payloads=bool(payloads),
        takes=taking is not None,
    )
    values = {"rows": _text(rows), "links": _text(links), "payloads": _text(payloads), "lease": lease_seconds}
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
        for number, (_, progress) in enumerate(items) for link in progress.links
    ]  # fmt: skip


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
