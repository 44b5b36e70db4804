"""Batches: what was asked for, how far they are, and what became of the runs."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dotdo_site.lib.paging import decode, encode
from workflows.models import Batch, BatchItem, Run
from workflows.queries.labels import label
from workflows.queries.rows import Page
from workflows.sql import Statement

UNTOLD = ("resolve", "suspend", "cancel")  # done is done: nothing comes of these runs afterwards


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the runs that got the command, since then."""

    succeeded: int = 0
    failed: int = 0
    going: int = 0
    ended: int = 0
    gone: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """A batch. `chosen` is the filter as it stood in the address, or `{"runs": n}`."""

    id: uuid.UUID
    verb: str
    state: str
    chosen: Mapping[str, Any]
    as_of: datetime
    shown: int
    total: int
    done: int
    skipped: int
    failed: int
    rate: float
    actor: str
    reason: str
    created_at: datetime
    ended_at: datetime | None

    @property
    def worked(self) -> int:
        """Return how many runs had their turn."""
        return self.done + self.skipped + self.failed

    @property
    def left(self) -> int:
        """Return how many runs had no turn."""
        return self.total - self.worked

    @property
    def differs(self) -> bool:
        """Tell whether it is noticeably another number of runs than the person was told."""
        return abs(self.total - self.shown) > max(1, self.shown // 20)


@dataclass(frozen=True, slots=True)
class ItemRow:
    """A run of a batch; `label` is what it is now, empty when it is gone."""

    run: uuid.UUID
    name: str
    label: str
    state: str
    note: str
    done_at: datetime | None


_OUTCOME = Statement(
    """
    SELECT r.state, r.resolved_at IS NOT NULL, count(*)
    FROM batch_item i LEFT JOIN run r ON r.id = i.run WHERE i.batch_id = :batch AND i.state = 'done' GROUP BY 1, 2
    """
)
_FIELDS = tuple(BatchRow.__dataclass_fields__)


def batch(batch_id: uuid.UUID) -> BatchRow | None:
    """Return a batch, or None."""
    values = Batch.objects.filter(pk=batch_id).values(*_FIELDS).first()
    return BatchRow(**values) if values else None


def batches(*, after: str | None = None, limit: int = 50) -> Page[BatchRow]:
    """Return batches, the newest first. Raises BadCursor."""
    rows = Batch.objects.order_by("-id")
    if after:
        rows = rows.filter(id__lt=decode(after, uuid.UUID)[0])
    found = [BatchRow(**values) for values in rows.values(*_FIELDS)[: limit + 1]]
    more, found = len(found) > limit, found[:limit]
    return Page(found, encode(found[-1].id) if more else None, None)


def batch_outcome(found: BatchRow) -> Outcome | None:
    """Return what became of the runs that got the command; None for a verb after which nothing comes."""
    if found.verb in UNTOLD:
        return None
    sums: dict[str, int] = {}
    for state, resolved, number in _OUTCOME.rows({"batch": found.id}):
        name = _became(state, resolved=resolved)
        sums[name] = sums.get(name, 0) + number
    return Outcome(**sums)


def batch_items(batch_id: uuid.UUID, state: str = "", *, after: str | None = None, limit: int = 50) -> Page[ItemRow]:
    """Return runs of a batch in the order of their turns. Raises BadCursor."""
    rows = BatchItem.objects.filter(batch=batch_id, **({"state": state} if state else {})).order_by("id")
    if after:
        rows = rows.filter(id__gt=decode(after, int)[0])
    found = list(rows[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    runs = {run.pk: run for run in Run.objects.filter(pk__in=[item.run for item in found]).only(
        "name", "title", "key", "state", "reason", "resolved_at"
    )}  # fmt: skip
    return Page([_item(item, runs.get(item.run)) for item in found], encode(found[-1].pk) if more else None, None)


def _item(item: BatchItem, run: Run | None) -> ItemRow:
    name = (run.title or run.key or run.name) if run else ""
    now = label(run.state, run.reason, run.resolved_at) if run else ""
    return ItemRow(item.run, name, now, item.state, item.note, item.done_at)


def _became(state: str | None, *, resolved: bool) -> str:
    if state is None:
        return "gone"
    if state == "succeeded":
        return "succeeded"
    if state == "cancelled" or resolved:
        return "ended"
    return "failed" if state == "failed" else "going"
