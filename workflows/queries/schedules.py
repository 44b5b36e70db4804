"""Schedules: when workflows start by themselves, and what became of it."""

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext, ngettext_lazy

from audit.models import AuditEvent
from audit.recording import KINDS
from dotdo_site.lib.paging import decode, encode
from workflows import occurrences, programs, rules
from workflows.language.program import EventFilter, Strategy
from workflows.language.program import Schedule as Rule
from workflows.language.templates import Constant
from workflows.models import Schedule, ScheduleFire
from workflows.queries.labels import label
from workflows.queries.rows import Page
from workflows.sql import Statement

UPCOMING = 5
LATEST = 10
NOTED = ("schedule.failed", "schedule.skipped", "schedule.paused", "schedule.resumed", "schedule.run_now")
UNITS = (
    (86_400, ngettext_lazy("%g day", "%g days")),
    (3_600, ngettext_lazy("%g hour", "%g hours")),
    (60, ngettext_lazy("%g minute", "%g minutes")),
    (1, ngettext_lazy("%g second", "%g seconds")),
)
ONCE = {
    86_400: gettext_noop("every day"),
    3_600: gettext_noop("every hour"),
    60: gettext_noop("every minute"),
    1: gettext_noop("every second"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """A schedule in a list. `upcoming` are its next moments, empty when it is paused or starts by events."""

    workflow: str
    version: str
    kind: str
    rule: str
    timezone: str
    missed: str
    state: str
    next_at: datetime | None
    upcoming: list[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class FireRow:
    """A moment that came: the run that was started, or why there is none (`skipped`, otherwise it was refused)."""

    nominal_at: datetime
    run: uuid.UUID | None
    label: str
    skipped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRow:
    """Something about the schedule that people should know."""

    at: datetime
    kind: str
    actor: str
    reason: str
    sentence: str
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleBoardRow(ScheduleRow):
    """A schedule with its last moments, newest first, what was said last about it, and what may be done with it."""

    title: str
    fires: list[FireRow]
    note: NoteRow | None
    can_run: str | None

    @property
    def left_out(self) -> int:
        """Return how many of the last moments were missed and left out."""
        return sum(fire.skipped for fire in self.fires)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDetail(ScheduleRow):
    """A schedule with what it did last, newest first; `can_run` is why it cannot be run now, None when it can."""

    fires: list[FireRow]
    notes: list[NoteRow]
    can_run: str | None


def schedules() -> list[ScheduleRow]:
    """Return all schedules by the name of their workflow."""
    rows = Schedule.objects.select_related("workflow", "version").order_by("workflow__name")
    return [ScheduleRow(**_facts(row)) for row in rows]


def next_scheduled(limit: int) -> list[ScheduleRow]:
    """Return the schedules that start something next, the soonest first."""
    rows = Schedule.objects.select_related("workflow", "version").filter(state="active", next_at__isnull=False)
    return [ScheduleRow(**_facts(row)) for row in rows.order_by("next_at")[:limit]]


def schedule_board(
    *, name: str = "", state: str = "", after: str | None = None, before: str | None = None, limit: int = 50
) -> Page[ScheduleBoardRow]:
    """Return one page of the schedules by the name of their workflow, with what they did last. Raises BadCursor."""
    rows = Schedule.objects.select_related("workflow", "version")
    rows = rows.filter(workflow__name__startswith=name) if name else rows
    rows = rows.filter(state=state) if state else rows
    if before:
        found = list(rows.filter(workflow__name__lt=decode(before, str)[0]).order_by("-workflow__name")[: limit + 1])
        more, found = len(found) > limit, found[:limit][::-1]
        return Page(_board(found), _cursor(found, -1), _cursor(found, 0) if more else None)
    rows = rows.filter(workflow__name__gt=decode(after, str)[0]) if after else rows
    found = list(rows.order_by("workflow__name")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return Page(_board(found), _cursor(found, -1) if more else None, _cursor(found, 0) if after else None)


def schedule(name: str) -> ScheduleDetail | None:
    """Return the schedule of a workflow, or None."""
    row = Schedule.objects.select_related("workflow", "version").filter(workflow__name=name).first()
    if row is None:
        return None
    fires = ScheduleFire.objects.filter(schedule=row).select_related("run").order_by("-nominal_at")[:LATEST]
    notes = AuditEvent.objects.filter(chain=row.workflow_id, kind__in=NOTED).order_by("-seq")[:LATEST]
    return ScheduleDetail(
        **_facts(row),
        fires=[_fire_row(fire) for fire in fires],
        notes=[_note_row(event) for event in notes],
        can_run=rules.run_now_refusal(row.kind),
    )


# Each schedule's newest moments by their unique key, whatever the number of moments.
_FIRES = Statement(
    """
    SELECT s.id, f.nominal_at, f.run_id, f.skipped, r.state, r.reason, r.resolved_at
    FROM unnest(:schedules::uuid[]) AS s (id)
    CROSS JOIN LATERAL (
        SELECT nominal_at, run_id, skipped FROM schedule_fire WHERE schedule_id = s.id
        ORDER BY nominal_at DESC LIMIT :limit::int) f
    LEFT JOIN run r ON r.id = f.run_id
    ORDER BY s.id, f.nominal_at DESC
    """
)
_NOTES = Statement(
    """
    SELECT n.id FROM unnest(:chains::uuid[]) AS w (chain)
    CROSS JOIN LATERAL (
        SELECT e.id FROM audit_event e WHERE e.chain = w.chain AND e.kind = ANY(:kinds::text[])
        ORDER BY e.seq DESC LIMIT 1) n
    """
)


def _board(found: list[Schedule]) -> list[ScheduleBoardRow]:
    fires: dict[uuid.UUID, list[FireRow]] = defaultdict(list)
    for owner, nominal_at, run, skipped, *state in _FIRES.rows(
        {"schedules": [row.pk for row in found], "limit": LATEST}
    ):
        shown = label(*state) if state[0] else ""
        fires[owner].append(FireRow(nominal_at=nominal_at, run=run, label=shown, skipped=skipped))
    noted = _NOTES.rows({"chains": [row.workflow_id for row in found], "kinds": list(NOTED)})
    notes = {event.chain: _note_row(event) for event in AuditEvent.objects.filter(pk__in=[pk for (pk,) in noted])}
    return [
        ScheduleBoardRow(
            **_facts(row),
            title=row.workflow.title,
            fires=fires[row.pk],
            note=notes.get(row.workflow_id),
            can_run=rules.run_now_refusal(row.kind),
        )
        for row in found
    ]


def _cursor(found: list[Schedule], index: int) -> str | None:
    return encode(found[index].workflow.name) if found else None


def _facts(row: Schedule) -> dict[str, Any]:
    rule = programs.workflow_program(row.version_id).schedule
    assert rule is not None  # noqa: S101 - the row was made from it
    return {
        "workflow": row.workflow.name,
        "version": row.version.version,
        "kind": row.kind,
        "rule": _words(rule),
        "timezone": row.timezone,
        "missed": row.missed,
        "state": row.state,
        "next_at": row.next_at if row.state == "active" else None,
        "upcoming": _upcoming(row, rule) if row.state == "active" else [],
    }


def _upcoming(row: Schedule, rule: Rule) -> list[datetime]:
    if row.next_at is None:
        return []
    return [row.next_at, *islice(occurrences.moments(rule, row.next_at), UPCOMING - 1)]


def _words(rule: Rule) -> str:
    if rule.strategy is not None:
        return _event_words(rule.strategy)
    if rule.cron is not None:
        return f"{occurrences.cron_words(rule.cron)} ({rule.cron}, {rule.timezone})"
    seconds = (rule.interval or timedelta()).total_seconds()
    if rule.kind == "after":
        return _("{length} after the last run has ended").format(length=_length(seconds))
    return _(ONCE[int(seconds)]) if seconds in ONCE else _("every {length}").format(length=_length(seconds))


def _length(seconds: float) -> str:
    size, words = next((each for each in UNITS if seconds % each[0] == 0), UNITS[-1])
    count = seconds / size
    return words % (int(count) if count.is_integer() else count)


def _event_words(strategy: Strategy) -> str:
    if not strategy.filters:
        return _("on every event")
    names = [_filter_words(wanted) for wanted in strategy.filters]
    if strategy.mode == "all" and len(names) > 1:
        return _("when there was one event of each: {names}").format(names=", ".join(names))
    return _("on {names}").format(names=_(" or ").join(names))


def _filter_words(wanted: EventFilter) -> str:
    rule = wanted.with_.get("type")
    others = len(wanted.with_) + len(wanted.correlate) - (rule is not None)
    name = str(rule.value) if isinstance(rule, Constant) else _("an event")
    return _("{name} (with conditions)").format(name=name) if others else name


def _fire_row(fire: ScheduleFire) -> FireRow:
    run = fire.run
    shown = label(run.state, run.reason, run.resolved_at) if run else ""
    return FireRow(nominal_at=fire.nominal_at, run=fire.run_id, label=shown, skipped=fire.skipped)


def _note_row(event: AuditEvent) -> NoteRow:
    data: Mapping[str, Any] = json.loads(event.data)
    return NoteRow(
        at=event.at,
        kind=event.kind,
        actor=event.actor,
        reason=event.reason,
        sentence=_SENTENCES.get(event.kind, lambda _: KINDS[event.kind])(data),
        run=str(data.get("run", "")),
    )


def _failed(data: Mapping[str, Any]) -> str:
    return " ".join([_("No run was started:"), str(data.get("error")), *map(str, data.get("problems", []))])


def _skipped(data: Mapping[str, Any]) -> str:
    count = int(data.get("moments") or 0)
    words = ngettext(
        "Left out after downtime: {count} moment from {start} to {end}.",
        "Left out after downtime: {count} moments from {start} to {end}.",
        count,
    )
    return words.format(count=count, start=_minute(data.get("from")), end=_minute(data.get("to")))


def _minute(text: Any) -> str:
    try:
        return f"{timezone.localtime(datetime.fromisoformat(text)):%Y-%m-%d %H:%M %Z}"
    except (TypeError, ValueError):
        return str(text)


_SENTENCES = {"schedule.failed": _failed, "schedule.skipped": _skipped}
