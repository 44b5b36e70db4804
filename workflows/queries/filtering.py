"""One filter of runs for pages, API, exports and batches: which rows it lets through, and how many, within limits."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BooleanField, Case, Exists, OuterRef, Q, QuerySet, Value, When

from actions.models import ActionVersion
from workflows import states
from workflows.models import Failure, FailureGroup, Run, WorkflowVersion
from workflows.queries.labels import CONDITIONS, UNRESOLVED, label
from workflows.queries.patience import TooSlow, within
from workflows.queries.rows import RunFilter

COUNT_LIMIT = 10_000
COUNT_SECONDS = 0.3
TALLY_SECONDS, BY_STATE_SECONDS = 0.06, 0.04  # a list stays quick: its numbers are an extra
FEW = 1_000
FAILED = "failed"  # every run that failed and that nobody has settled, whatever the reason
RARE = ("poisoned", "quarantined", "timed_out", "undo_failed", "undone")  # of many that failed or were cancelled
# Ids begin with the time on the clock of the host that made them; rows carry the time of the database.
SKEW = timedelta(hours=1)
Group = tuple[str, str, bool, int]
_RESTING = Case(When(resolved_at__isnull=True, then=Value(False)), default=Value(True), output_field=BooleanField())


@dataclass(frozen=True, slots=True)
class Count:
    """How many; `more`: at least so many, nobody counted further."""

    number: int = 0
    more: bool = False


def filtered(chosen: RunFilter) -> QuerySet[Run]:
    """Return the runs that the filter lets through."""
    rows = Run.objects.all()
    exact = {"state": chosen.state, "name": chosen.name, "kind": chosen.kind, "queue": chosen.queue}
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if chosen.label:
        rows = rows.filter(UNRESOLVED if chosen.label == FAILED else CONDITIONS.get(chosen.label, Q(pk__in=[])))
    if chosen.unfinished:
        rows = rows.exclude(state__in=states.RUN_FINAL)
    if chosen.parent:
        rows = rows.filter(parent_step=chosen.parent)
    if chosen.tag:
        rows = rows.filter(tags__contains=[chosen.tag])
    if chosen.key:
        rows = rows.filter(_begins("key", chosen.key))
    if chosen.version:
        rows = rows.filter(_of_version(chosen))
    return _searched(_failed_alike(_in_time(rows, chosen), chosen), chosen.q)


def in_order(chosen: RunFilter) -> QuerySet[Run]:
    """Return the runs that the filter lets through, to be read in the order of their ids, a page of them.

    An index that finds a beginning or a tag has no order, and the one that has the order may find nothing for long: so
    where few runs fit, they are looked up first. Those with a reason that is rare are found in an index alone.
    """
    rows = filtered(chosen)
    searched = any((chosen.q, chosen.tag, chosen.key, chosen.version, chosen.code, chosen.group))
    if not searched and chosen.label not in RARE:
        return rows
    ids = list(rows.order_by().values_list("pk", flat=True)[: FEW + 1])
    return rows if len(ids) > FEW else Run.objects.filter(pk__in=ids)


def tally(chosen: RunFilter) -> dict[str, Count]:
    """Return how many runs have each label, `failed` and "" (all); what takes too long to count is left out.

    Where many fit, at most 10,000 of each state are counted.
    """
    rows = filtered(replace(chosen, label="", state=""))
    groups: list[Group] | None = None
    if _narrow(chosen):
        groups = _grouped([_part(rows)], TALLY_SECONDS)
        if groups is not None and sum(group[3] for group in groups) <= COUNT_LIMIT:
            return _summed(groups)
    by_state = _grouped([_part(rows.filter(state=state)) for state in states.RUN_STATES], BY_STATE_SECONDS)
    if by_state is not None:
        return _summed(by_state)
    return {"": Count(COUNT_LIMIT, more=True)} if groups is not None else {}


def count(chosen: RunFilter, limit: int = COUNT_LIMIT, seconds: float = COUNT_SECONDS) -> Count | None:
    """Return how many runs the filter lets through, up to a limit; None when that takes too long to count."""
    try:
        with within(seconds):
            found = filtered(chosen).order_by().values("pk")[: limit + 1].count()
    except TooSlow:
        return None
    return Count(min(found, limit), found > limit)


def newer_than(chosen: RunFilter, run_id: uuid.UUID | None) -> int:
    """Return how many runs of the list are newer than this one, at most 1,000."""
    rows = filtered(chosen)
    return (rows.filter(id__gt=run_id) if run_id else rows).order_by().values("pk")[:1_000].count()


def neighbours(chosen: RunFilter, run_id: uuid.UUID) -> tuple[uuid.UUID | None, uuid.UUID | None]:
    """Return the runs of a list beside this one, the newer and the older; None at the ends, or if it takes too long."""
    try:
        with within(COUNT_SECONDS):
            rows = in_order(chosen).values_list("pk", flat=True)
            newer = rows.filter(id__gt=run_id).order_by("id").first()
            return newer, rows.filter(id__lt=run_id).order_by("-id").first()
    except TooSlow:
        return None, None


def _in_time(rows: QuerySet[Run], chosen: RunFilter) -> QuerySet[Run]:
    """Bound the ids as well, which are in the order of time: an index reads no others."""
    if chosen.since:
        rows = rows.filter(created_at__gte=chosen.since, id__gte=_id_at(chosen.since, -SKEW))
    if chosen.until:
        rows = rows.filter(created_at__lt=chosen.until, id__lt=_id_at(chosen.until, SKEW))
    return rows


def _failed_alike(rows: QuerySet[Run], chosen: RunFilter) -> QuerySet[Run]:
    """Keep the runs that rest as failed in a group of failures, or with an error code."""
    if not (chosen.group or chosen.code):
        return rows
    wanted = {"fingerprint": chosen.group, "code": chosen.code}
    groups = FailureGroup.objects.filter(**{name: value for name, value in wanted.items() if value})
    ids = list(groups.values_list("pk", flat=True))
    same = Failure.objects.filter(run=OuterRef("pk"), group__in=ids, open=True, failed_at=OuterRef("stopped_at"))
    return rows.filter(UNRESOLVED, Exists(same))


def _of_version(chosen: RunFilter) -> Q:
    workflows = WorkflowVersion.objects.filter(version=chosen.version)
    actions = ActionVersion.objects.filter(version=chosen.version)
    if chosen.name:
        workflows, actions = workflows.filter(workflow__name=chosen.name), actions.filter(action__name=chosen.name)
    of_workflow, of_action = (list(found.values_list("pk", flat=True)) for found in (workflows, actions))
    return Q(workflow_version__in=of_workflow) | Q(action_version__in=of_action)


def _searched(rows: QuerySet[Run], text: str) -> QuerySet[Run]:
    """Look where an index leads: titles and keys by how they begin, a name or an id as a whole."""
    if not text:
        return rows
    found = _begins("key", text) | (Q(title__istartswith=text) & ~Q(title="")) | Q(name=text)
    try:
        return rows.filter(found | Q(pk=uuid.UUID(text)))
    except ValueError:
        return rows.filter(found)


def _begins(field: str, text: str) -> Q:
    return Q(**{f"{field}__startswith": text}) & ~Q(**{field: ""})  # the index leaves out rows without one


def _narrow(chosen: RunFilter) -> bool:
    """Tell whether something is asked for: then few may fit, which are counted at once."""
    broad = replace(chosen, label="", state="", kind="" if chosen.kind == "workflow" else chosen.kind)
    return broad != RunFilter()


def _part(rows: QuerySet[Run]) -> QuerySet[Run, tuple[str, str, bool]]:
    named = rows.order_by().annotate(resolved=_RESTING).values_list("state", "reason", "resolved")
    return named[: COUNT_LIMIT + 1]


def _grouped(parts: Sequence[QuerySet[Run, tuple[str, str, bool]]], seconds: float) -> list[Group] | None:
    """Count runs by state, reason and whether they are resolved, in one statement; None when that takes too long."""
    compiled = [text for part in parts if (text := _compiled(part))]
    if not compiled:
        return []
    union = " UNION ALL ".join(f"({sql})" for sql, _ in compiled)
    query = f"SELECT state, reason, resolved, count(*) FROM ({union}) AS t GROUP BY 1, 2, 3"  # noqa: S608 - Django's
    try:
        with within(seconds), connection.cursor() as cursor:
            cursor.execute(query, [value for _, values in compiled for value in values])
            groups: list[Group] = cursor.fetchall()
            return groups
    except TooSlow:
        return None


def _compiled(part: QuerySet[Run, tuple[str, str, bool]]) -> tuple[str, tuple[Any, ...]] | None:
    """Return a statement, None when it is plain that nothing fits."""
    try:
        return part.query.sql_with_params()
    except EmptyResultSet:
        return None


def _summed(groups: list[Group]) -> dict[str, Count]:
    """Add groups of (state, reason, resolved) up to labels; what belongs to a state with too many is a least number."""
    sums = dict.fromkeys((*CONDITIONS, FAILED, ""), 0)
    many: set[str] = set()
    for state, reason, resolved, number in groups:
        of_state = sum(row[3] for row in groups if row[0] == state)
        for name in _names(state, reason, resolved=resolved):
            sums[name] += number
            if of_state > COUNT_LIMIT:
                many.add(name)
    return {name: Count(min(number, COUNT_LIMIT), name in many) for name, number in sums.items()}


def _names(state: str, reason: str, *, resolved: bool) -> set[str]:
    """Return every label under which a run is counted: a wait for a person is also a wait."""
    own = "resolved" if state == "failed" and resolved else label(state, reason)
    names = {"", own}
    if state == "waiting" and own not in ("retrying", "blocked"):
        names.add("waiting")
    if state == "failed" and own not in ("resolved", "undone"):
        names.add(FAILED)
    return names


def _id_at(moment: datetime, skew: timedelta) -> uuid.UUID:
    """Return the least id of a moment; numbers reach further than the calendar."""
    return uuid.UUID(int=max(0, int((moment.timestamp() + skew.total_seconds()) * 1000)) << 80)
