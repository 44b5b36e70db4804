"""Pages of a table that grows at its end, the newest row first.

What an index narrows is found at once. What none narrows is looked for among so many rows and no more, so that a page
takes as long with a million rows as with a thousand; the cursor then leads on behind the last one that was looked at.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

from dotdo_site.lib.paging import decode, encode
from workflows.queries.rows import Item, Page

Row = TypeVar("Row", bound=Model)
LOOKED_THROUGH = 20_000
LAST_ID = 2**128 - 1


@dataclass(frozen=True, slots=True)
class Looked(Page[Item]):
    """A page; `partly` tells that only so many rows were looked through for it, and `next` leads on behind them."""

    partly: bool = False


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """The rows of a page and the cursors of its neighbours; `partly`: only so many rows were looked through for it."""

    rows: list[Row]
    next: str | None
    previous: str | None
    partly: bool = False

    def page(self, items: list[Item]) -> Looked[Item]:
        """Return the page with what is made of its rows."""
        return Looked(items, self.next, self.previous, self.partly)


def newest_first(
    rows: "QuerySet[Row]",
    kind: Callable[[Any], Any],
    *,
    after: str | None,
    before: str | None,
    limit: int,
    among: Q | None = None,
) -> Found[Row]:
    """Return one page of rows by their primary key, a `UUID` or an `int`; `among` is what no index narrows.

    Raises BadCursor.
    """
    if before:
        start = decode(before, kind)[0]
        found, horizon = _look(rows.filter(pk__gt=start).order_by("pk"), among, limit, upwards=True)
        more, found = len(found) > limit, found[:limit][::-1]
        newer = _cursor(found[0].pk) if more else _cursor(horizon)
        return Found(
            found, _cursor(found[-1].pk if found else _beside(start, 1)), newer, not more and horizon is not None
        )
    start = decode(after, kind)[0] if after else None
    below = rows.filter(pk__lt=start) if after else rows
    found, horizon = _look(below.order_by("-pk"), among, limit, upwards=False)
    more, found = len(found) > limit, found[:limit]
    older = _cursor(found[-1].pk) if more else _cursor(horizon)
    newer = _cursor(found[0].pk if found else _beside(start, -1)) if after else None
    return Found(found, older, newer, not more and horizon is not None)


def newer(rows: "QuerySet[Any]", top: object, among: Q | None = None) -> int:
    """Return how many rows are newer than one, at most 1,000."""
    above = rows.filter(pk__gt=top).order_by("pk")
    return len(_look(above.only("pk"), among, 999, upwards=True)[0])


def _look(rows: "QuerySet[Row]", among: Q | None, limit: int, *, upwards: bool) -> tuple[list[Row], Any]:
    """Return what was found, one more than asked for if there is more, and where the look ended before the last row."""
    if among is None:
        return list(rows[: limit + 1]), None
    horizon = rows.values_list("pk", flat=True)[LOOKED_THROUGH : LOOKED_THROUGH + 1].first()
    near = rows.filter(among)
    if horizon is not None:
        near = near.filter(pk__lt=horizon) if upwards else near.filter(pk__gt=horizon)
    return list(near[: limit + 1]), None if horizon is None else _beside(horizon, -1 if upwards else 1)


def _beside(key: Any, by: int) -> Any:
    """Return the key before or after one; at the ends of the ids there is none, and the key stands for it."""
    return uuid.UUID(int=min(max(key.int + by, 0), LAST_ID)) if isinstance(key, uuid.UUID) else key + by


def _cursor(key: object) -> str | None:
    return None if key is None else encode(key)
