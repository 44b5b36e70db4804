"""Groups of failures: the list, one with its history, and to which group a run belongs."""

import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, Max, Min, Q, QuerySet, Sum
from django.utils import timezone

from audit.models import AuditEvent
from audit.recording import KINDS
from dotdo_site.lib.paging import decode, encode
from workflows.models import Failure, FailureCount, FailureGroup
from workflows.queries.rows import Page

COUNT_LIMIT = 100
RECENT_HOURS = 12
NEW = timedelta(days=1)
LATEST_NOTES = 20
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FailureFilter:
    """Which groups; an empty field filters nothing."""

    state: str = ""
    q: str = ""
    name: str = ""
    code: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """A group in a list. `trend` is new, first, regressed, since or ongoing; `recent` are the last hours' counts."""

    id: uuid.UUID
    fingerprint: str
    kind: str
    name: str
    step: str
    code: str
    message: str
    state: str
    trend: str
    count: int
    open_runs: int
    first_seen_at: datetime
    last_seen_at: datetime
    first_version: str
    last_version: str
    regressed_at: datetime | None
    settled_at: datetime | None
    settled_by: str
    settled_because: str
    ignored_until: datetime | None
    ignored_left: int | None
    recent: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedVersion:
    """How often a group happened with a version, as far as counts are kept."""

    version: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureNote:
    """What was decided about a group."""

    at: datetime
    kind: str
    actor: str
    reason: str
    sentence: str
    until: str
    until_count: int | None


@dataclass(frozen=True, slots=True)
class GroupLink:
    """The group that a failed run belongs to; `open` counts its runs that wait for a person, this one among them."""

    fingerprint: str
    open: int


def failures(
    chosen: FailureFilter, *, after: str | None = None, before: str | None = None, limit: int = 50
) -> Page[FailureRow]:
    """Return one page of groups, the one that happened last at the top. Raises BadCursor."""
    rows = _filtered(chosen)
    if before:
        at, pk = decode(before, datetime.fromisoformat, uuid.UUID)
        rows = rows.filter(Q(last_seen_at__gt=at) | Q(last_seen_at=at, pk__gt=pk)).order_by("last_seen_at", "pk")
        found = list(rows[: limit + 1])
        more, found = len(found) > limit, found[:limit][::-1]
        return Page(_rows(found), _cursor(found, -1), _cursor(found, 0) if more else None)
    if after:
        at, pk = decode(after, datetime.fromisoformat, uuid.UUID)
        rows = rows.filter(Q(last_seen_at__lt=at) | Q(last_seen_at=at, pk__lt=pk))
    found = list(rows.order_by("-last_seen_at", "-pk")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return Page(_rows(found), _cursor(found, -1) if more else None, _cursor(found, 0) if after else None)


def failures_since(chosen: FailureFilter, moment: datetime) -> int:
    """Return how many groups of the list happened after a moment, counting at most 100."""
    return _filtered(chosen).filter(last_seen_at__gt=moment).values("pk")[:COUNT_LIMIT].count()


def needs_attention(limit: int) -> list[FailureRow]:
    """Return the open groups with runs that wait for a person, the one that happened last first."""
    rows = FailureGroup.objects.filter(state="open", open_runs__gt=0)
    return _rows(list(rows.order_by("-last_seen_at", "-pk")[:limit]))


def failure(fingerprint: str) -> FailureRow | None:
    """Return one group, or None."""
    if "\x00" in fingerprint:
        return None
    found = FailureGroup.objects.filter(fingerprint=fingerprint).first()
    return _rows([found])[0] if found else None


def failure_counts() -> dict[str, int]:
    """Return how many groups are in each state, counting at most 100 of each."""
    rows = FailureGroup.objects.all()
    return {
        state: rows.filter(state=state).values("pk")[:COUNT_LIMIT].count() for state in ("open", "resolved", "ignored")
    }


def open_failures() -> int:
    """Return how many groups are open, counting at most 100."""
    return FailureGroup.objects.filter(state="open").values("pk")[:COUNT_LIMIT].count()


def last_settled() -> datetime | None:
    """Return when a group was resolved last."""
    rows = FailureGroup.objects.filter(state="resolved").order_by("-last_seen_at")[:COUNT_LIMIT]
    return max((row.settled_at for row in rows if row.settled_at), default=None)


def affected_versions(group: uuid.UUID) -> list[AffectedVersion]:
    """Return the versions with which a group happened, the latest first."""
    rows = FailureCount.objects.filter(group=group).values("version")
    found = rows.annotate(n=Sum("count"), first=Min("begins_at"), last=Max("begins_at")).order_by("-last", "-first")
    return [
        AffectedVersion(version=row["version"], count=row["n"], first_at=row["first"], last_at=row["last"])
        for row in found
    ]


def failure_hours(group: uuid.UUID, since: datetime) -> dict[datetime, int]:
    """Return how often a group happened by the hour in which it did; hours in which it did not are missing."""
    rows = FailureCount.objects.filter(group=group, begins_at__gte=since).values_list("begins_at")
    return dict(rows.annotate(n=Sum("count")).order_by())


def failure_notes(group: uuid.UUID) -> list[FailureNote]:
    """Return what was decided about a group, the latest first."""
    rows = AuditEvent.objects.filter(chain=group, kind__startswith="failure.").order_by("-seq")[:LATEST_NOTES]
    return [_note(row) for row in rows]


def group_of(run_id: uuid.UUID) -> GroupLink | None:
    """Return the group of the failure on which a run rests; None when it does not, or was not looked at yet."""
    rows = Failure.objects.filter(run=run_id, failed_at=F("run__stopped_at"), run__state="failed")
    found = rows.values_list("group__fingerprint", "group__open_runs").first()
    return GroupLink(*found) if found else None


def _filtered(chosen: FailureFilter) -> QuerySet[FailureGroup]:
    exact = {"state": chosen.state, "name": chosen.name, "code": chosen.code}
    rows = FailureGroup.objects.filter(**{name: value for name, value in exact.items() if value})
    if chosen.since:
        rows = rows.filter(last_seen_at__gte=chosen.since)
    if chosen.q:
        words = (f"{name}__icontains" for name in ("code", "message", "step", "name"))
        found = Q(fingerprint=chosen.q)
        for word in words:
            found |= Q(**{word: chosen.q})
        rows = rows.filter(found)
    return rows


def _rows(groups: Sequence[FailureGroup]) -> list[FailureRow]:
    """Return groups as rows, with the counts of the last hours in one query."""
    now = timezone.now()
    first = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - (RECENT_HOURS - 1) * HOUR
    counts: dict[uuid.UUID, list[int]] = defaultdict(lambda: [0] * RECENT_HOURS)
    rows = FailureCount.objects.filter(group__in=groups, begins_at__gte=first)
    for pk, begins_at, count in rows.values_list("group", "begins_at", "count"):
        counts[pk][min(int((begins_at - first) / HOUR), RECENT_HOURS - 1)] += count
    return [_row(group, counts[group.pk], now) for group in groups]


def _row(group: FailureGroup, recent: list[int], now: datetime) -> FailureRow:
    left = None if group.ignored_count is None else max(group.ignored_count - group.count, 0)
    names = (
        "id", "fingerprint", "kind", "name", "step", "code", "message", "state", "count", "open_runs", "first_seen_at",
        "last_seen_at", "first_version", "last_version", "regressed_at", "settled_at", "settled_by", "settled_because",
        "ignored_until",
    )  # fmt: skip
    values: dict[str, Any] = {name: getattr(group, name) for name in names}
    return FailureRow(**values, trend=_trend(group, now), ignored_left=left, recent=recent)


def _trend(group: FailureGroup, now: datetime) -> str:
    """Return what is most worth knowing about how a group came about."""
    if group.regressed_at is not None:
        return "regressed"
    if group.count <= 1:
        return "first"
    if group.since_version:
        return "since"
    return "new" if now - group.first_seen_at < NEW else "ongoing"


def _note(event: AuditEvent) -> FailureNote:
    data = json.loads(event.data)
    return FailureNote(
        at=event.at,
        kind=event.kind,
        actor=event.actor,
        reason=event.reason,
        sentence=KINDS.get(event.kind, event.kind),
        until=str(data.get("until", "")),
        until_count=data.get("until_count"),
    )


def _cursor(found: Sequence[FailureGroup], index: int) -> str | None:
    return encode(found[index].last_seen_at, found[index].pk) if found else None
