"""Take hold of runs before a person changes them: from the top down each run, its open branches, then its steps.

Raising the revision of the branches makes a checkpoint that still read the old state fail its guard and look again.
Steps come last, and one that somebody works on is left alone: it meets the raised revision. Only steps that wait for
runs of their own are locked before those: runs that end while their parent is operated on cannot wait in a circle.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet

from audit.models import AuditEvent
from audit.recording import Link, seal
from workflows import states
from workflows.models import Branch, Run, Step
from workflows.operations.missing import missing
from workflows.sql import Statement

UNTOUCHED = ("ready", "waiting", "held", "failed")


@dataclass(slots=True)
class Locked:
    """A run under lock, with its open branches in id order."""

    run: Run
    branches: list[Branch] = field(default_factory=list)

    @property
    def root(self) -> Branch:
        """Return the branch that began with the run: its chain holds what people did."""
        return next(branch for branch in self.branches if branch.parent_id is None)


@dataclass(frozen=True, slots=True)
class Line:
    """A run with those above it, the topmost first, and its open children, each after its parent."""

    above: list[Locked]
    family: list[Locked]

    @property
    def head(self) -> Locked:
        """Return the run itself."""
        return self.family[0]


def lock(run_id: uuid.UUID) -> Locked:
    """Lock one run and its open branches, in the caller's transaction. Raises UnknownRun."""
    return _with_branches(_runs([run_id]) or _unknown(run_id))[0]


def lock_line(run_id: uuid.UUID, *, above: bool = False) -> Line:
    """Lock a run, its open children downwards and, if asked, the runs above it. Raises UnknownRun."""
    parents = [run for parent in _above(run_id) for run in _runs([parent])] if above else []
    locked = _with_branches([*parents, *(_runs([run_id]) or _unknown(run_id))])
    return Line(locked[:-1], [locked[-1], *lock_trees(_children([run_id]))])


def open_children(steps: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Return the runs that these steps have started and that have not ended."""
    rows = Run.objects.filter(parent_step__in=steps).exclude(state__in=states.RUN_FINAL)
    return list(rows.order_by("id").values_list("pk", flat=True))


def lock_trees(runs: Sequence[uuid.UUID]) -> list[Locked]:
    """Lock runs that have not ended, and the open ones below them, each after its parent.

    Who is below is asked when the branches are locked: what starts a run moves its branch on in the same commit.
    """
    level, found = list(runs), list[Locked]()
    while level:
        locked = _with_branches([run for run in _runs(level) if run.state not in states.RUN_FINAL])
        found += locked
        level = _children([one.run.id for one in locked])
    return found


def idle_steps(runs: Iterable[Run]) -> QuerySet[Step]:
    """Return the steps that nobody executes, locked in id order; faults that the workflow caught are not among them."""
    steps = Step.objects.select_for_update(no_key=True, skip_locked=True)
    return steps.filter(run__in=list(runs), state__in=UNTOUCHED).exclude(state="failed", caught=True).order_by("id")


def record(
    notes: Sequence[tuple[Locked, str, Mapping[str, Any]]], actor: str, reason: str, *, close: bool = False
) -> None:
    """Append an event to the chain of each run and raise the revision of its branches; `close` ends them as well."""
    if not notes:
        return
    at: datetime = _NOW.rows()[0][0]
    links = []
    for locked, kind, data in notes:
        root = locked.root
        links.append(
            seal(
                bytes(root.audit_head),
                chain=root.id,
                seq=root.audit_seq + 1,
                run=locked.run.id,
                kind=kind,
                actor=actor,
                reason=reason,
                at=at,
                data=data,
            )
        )
    keep(links)
    others = [branch.id for locked, _, _ in notes for branch in locked.branches if branch.parent_id is not None]
    _MOVE.rows(
        {
            "ids": [link.chain for link in links],
            "seqs": [link.seq for link in links],
            "hashes": [link.hash for link in links],
            "others": others,
            "close": close,
        }
    )


def keep(links: Iterable[Link]) -> None:
    """Write links that were sealed."""
    AuditEvent.objects.bulk_create(AuditEvent(**link._asdict()) for link in links)


def raise_revision(branches: Iterable[Branch], **values: Any) -> None:
    """Change branches that are locked."""
    Branch.objects.filter(pk__in=[branch.pk for branch in branches]).update(revision=F("revision") + 1, **values)


_NOW = Statement("SELECT clock_timestamp()")
_MOVE = Statement(
    """
    WITH roots AS (
        UPDATE branch b SET revision = b.revision + 1, audit_seq = l.seq, audit_head = l.hash,
            state = CASE WHEN :close::bool THEN 'closed' ELSE b.state END,
            closed_at = CASE WHEN :close::bool THEN clock_timestamp() ELSE b.closed_at END
        FROM unnest(:ids::uuid[], :seqs::int[], :hashes::bytea[]) AS l (id, seq, hash) WHERE b.id = l.id)
    UPDATE branch b SET revision = b.revision + 1,
        state = CASE WHEN :close::bool THEN 'closed' ELSE b.state END,
        closed_at = CASE WHEN :close::bool THEN clock_timestamp() ELSE b.closed_at END
    WHERE b.id = ANY(:others::uuid[])
    """
)


def _runs(ids: Sequence[uuid.UUID]) -> list[Run]:
    return list(Run.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("id"))


def _with_branches(runs: list[Run]) -> list[Locked]:
    rows = Branch.objects.select_for_update(no_key=True).filter(run__in=runs, state="open").order_by("id")
    by_run: dict[uuid.UUID, list[Branch]] = defaultdict(list)
    for branch in rows:
        by_run[branch.run_id].append(branch)
    return [Locked(run, by_run[run.id]) for run in runs]


def _above(run_id: uuid.UUID) -> list[uuid.UUID]:
    """Return the runs above a run, the topmost first; which these are never changes."""
    found: list[uuid.UUID] = []
    step = Run.objects.filter(pk=run_id).values_list("parent_step", flat=True).first()
    while step is not None:
        parent = Step.objects.filter(pk=step).values_list("run", "run__parent_step").first()
        if parent is None:
            break
        found.insert(0, parent[0])
        step = parent[1]
    return found


def _children(runs: list[uuid.UUID]) -> list[uuid.UUID]:
    """Return the open runs that steps of these runs still wait for, or are parked on.

    The steps are locked: a run that ends takes its parent's step before itself, so nobody else may do it the other
    way round, and a step that is left out because it is locked would stay open in a run that has ended.
    """
    open_runs = Run.objects.exclude(state__in=states.RUN_FINAL)
    steps = Step.objects.filter(Exists(open_runs.filter(parent_step=OuterRef("pk"))), run__in=runs)
    waiting = steps.exclude(state__in=states.STEP_FINAL).exclude(state="failed", caught=True)
    list(waiting.exclude(state="running").select_for_update(no_key=True).order_by("id").values_list("pk", flat=True))
    # By their ids, and not in one question: its plan is a bad one when statistics are from before a family grew.
    return open_children(list(waiting.values_list("pk", flat=True)))


def _unknown(run_id: uuid.UUID) -> list[Run]:
    raise missing(run_id)
