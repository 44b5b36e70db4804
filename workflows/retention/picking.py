"""Take hold of runs that are going to be deleted: whole families, all of them over, nobody at work in them.

A run goes with those that it started, when each of them has been over for long enough: a workflow that keeps its runs
longer keeps those that started them. Whatever somebody else holds is left for the next time.
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate

from workflows.retention.policy import ENDED, OVER, Due, end_of, is_over
from workflows.sql import Statement

PAGE = 1_000  # roots that one batch looks at: most of them may be kept
MOST_RUNS = 200
MOST_STEPS = 5_000
Place = tuple[datetime, uuid.UUID]
START: Place = (datetime(1970, 1, 1, tzinfo=UTC), uuid.UUID(int=0))
_KEPT_LONGER = f"""
    EXISTS (SELECT FROM run c LEFT JOIN workflow w ON w.name = c.name AND c.kind = 'workflow'
        WHERE c.root = r.id AND (NOT coalesce({is_over("c")}, false)
            OR {end_of("c")} >= now() - make_interval(days => greatest(:days, w.keep_days))))
"""
_PAGE = Statement(
    f"""
    SELECT {ENDED}, r.id FROM run r
    WHERE r.kind = :kind AND r.name = :name AND r.parent_step IS NULL AND {OVER}
        AND {ENDED} < now() - make_interval(days => :days) AND ({ENDED}, r.id) > (:at, :id)
    ORDER BY {ENDED}, r.id LIMIT :page
    """  # noqa: S608 - constants
)
_ROOTS = Statement(
    f"""
    SELECT r.id, {ENDED} FROM run r
    WHERE r.id = ANY(:page::uuid[]) AND {OVER} AND {ENDED} < now() - make_interval(days => :days)
        AND NOT {_KEPT_LONGER}
    ORDER BY {ENDED}, r.id LIMIT :most FOR UPDATE OF r SKIP LOCKED
    """  # noqa: S608 - constants
)
_SIZES = Statement("SELECT root, count(*) FROM run WHERE root = ANY(:roots::uuid[]) GROUP BY root")
# The deepest first: of a family that is too large for one transaction, no run goes before those that it started.
_MEMBERS = Statement(
    f"""
    SELECT r.id, r.root, {OVER} FROM run r WHERE r.root = ANY(:roots::uuid[])
    ORDER BY r.depth DESC, r.id LIMIT :most FOR UPDATE SKIP LOCKED
    """  # noqa: S608 - constants
)
_BUSY = Statement("SELECT DISTINCT run_id FROM step WHERE run_id = ANY(:runs::uuid[]) AND state = 'running'")
_STEPS = Statement("SELECT run_id, count(*) FROM step WHERE run_id = ANY(:runs::uuid[]) GROUP BY run_id")


@dataclass(slots=True)
class Family:
    """A run that no other started, how many are below it, and those that may be deleted now, the deepest first."""

    root: uuid.UUID
    ended: datetime
    size: int = 0
    below: list[uuid.UUID] = field(default_factory=list)
    part: int | None = None

    @property
    def runs(self) -> list[uuid.UUID]:
        """Return what may be deleted now: everything, or of a family that is too large, the deepest part."""
        locked = [*self.below, self.root] if len(self.below) == self.size else self.below
        return locked[: self.part]

    @property
    def whole(self) -> bool:
        """Tell whether nothing of it is left for another time."""
        return len(self.runs) > self.size


@dataclass(frozen=True, slots=True)
class Batch:
    """Families under lock, the place behind what was looked at, and whether nothing comes behind that place."""

    families: list[Family]
    next: Place
    last: bool

    @property
    def runs(self) -> list[uuid.UUID]:
        """Return the runs to delete, in id order."""
        return sorted(run for family in self.families for run in family.runs)


def take(wanted: Due, after: Place = START, families: int = MOST_RUNS) -> Batch:
    """Lock the next families of a definition that may go, in the caller's transaction."""
    values = {"kind": wanted.kind, "name": wanted.name, "days": wanted.days, "at": after[0], "id": after[1]}
    page: list[Place] = [(ended, run) for ended, run in _PAGE.rows(values | {"page": PAGE})]
    roots = {"page": [run for _, run in page], "days": wanted.days, "most": families}
    found = [Family(*row) for row in _ROOTS.rows(roots)] if page else []
    looked_at = _first(found)
    free = _free(looked_at)
    kept = _few_steps(free)
    if len(kept) < len(free):
        looked_at = looked_at[: looked_at.index(kept[-1]) + 1]
    if kept and not kept[-1].whole:
        return Batch(kept, after, last=False)  # its next part comes next
    if looked_at and (len(looked_at) < len(found) or len(found) == families):
        return Batch(kept, _behind(looked_at), last=False)
    return Batch(kept, page[-1] if page else after, last=len(page) < PAGE)


def skip(wanted: Due, after: Place) -> tuple[uuid.UUID | None, Batch]:
    """Return the next run that would be taken, and what follows it."""
    batch = take(wanted, after, 1)
    if not batch.families:
        return None, batch
    return batch.families[0].root, Batch([], _behind(batch.families), last=False)


def _behind(families: list[Family]) -> Place:
    return families[-1].ended, families[-1].root


def _first(found: list[Family]) -> list[Family]:
    """Return the first families, so many runs together; the first one however large it is."""
    sizes = dict(_SIZES.rows({"roots": [family.root for family in found]}))
    chosen, total = list[Family](), 0
    for family in found:
        family.size = sizes.get(family.root, 0)
        total += family.size + 1
        if chosen and total > MOST_RUNS:
            break
        chosen.append(family)
    return chosen


def _free(families: list[Family]) -> list[Family]:
    """Return the families of which nobody else holds a run or works on a step; their other runs are locked now."""
    by_root = {family.root: family for family in families}
    taken = set[uuid.UUID]()
    for run, root, over in _MEMBERS.rows({"roots": list(by_root), "most": MOST_RUNS}):
        by_root[root].below.append(run)
        taken |= set() if over else {root}
    runs = [run for family in families for run in (*family.below, family.root)]
    busy = {row[0] for row in _BUSY.rows({"runs": runs})}
    return [
        family
        for family in families
        if family.root not in taken
        and len(family.below) == min(family.size, MOST_RUNS)
        and busy.isdisjoint((*family.below, family.root))
    ]


def _few_steps(families: list[Family]) -> list[Family]:
    """Return the first families, so many steps together; of the first one a part, if it alone has more."""
    counts = dict(_STEPS.rows({"runs": [run for family in families for run in family.runs]}))
    kept, total = list[Family](), 0
    for family in families:
        steps = list(accumulate(counts.get(run, 0) for run in family.runs))
        total += steps[-1]
        if kept and total > MOST_STEPS:
            break
        family.part = max(1, sum(each <= MOST_STEPS for each in steps))  # a run goes whole
        kept.append(family)
    return kept
