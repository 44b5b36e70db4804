"""Lists of runs: one filter, keyset pages both ways, counts and change tokens; for pages, API and admin alike."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from dotdo_site.lib.paging import decode, encode
from workflows import payloads
from workflows.models import Payload, Run, Step
from workflows.queries.labels import CONDITIONS, UNRESOLVED, label, waits
from workflows.queries.rows import Page, RunFilter, RunRow
from workflows.queries.sentences import now_sentence

COUNT_LIMIT = 10_000
OPEN = ("ready", "running", "waiting", "held")
# Deadlines, and what goes on behind a fork, are not what people call steps.
UNCOUNTED = ("timer", "join")
_AWAITED = {"person": "waiting_person", "event": "waiting_event", "child": "waiting_child", "timer": "waiting"}
UNDO_KEY = "#undo"  # the step with which the undo of a run begins: it does nothing itself


@dataclass(slots=True)
class StepSummary:
    """The steps of one run, as far as a list shows them."""

    done: int = 0
    undone: int = 0
    open: int = 0
    failed: int = 0
    current: Step | None = None


def runs(chosen: RunFilter, *, after: str | None = None, before: str | None = None, limit: int = 50) -> Page[RunRow]:
    """Return one page, newest first. Raises BadCursor."""
    rows = filtered(chosen).select_related("workflow_version", "action_version")
    if before:
        found = list(rows.filter(id__gt=decode(before, uuid.UUID)[0]).order_by("id")[: limit + 1])
        more, found = len(found) > limit, found[:limit][::-1]
        return Page(run_rows(found), _cursor(found, -1), _cursor(found, 0) if more else None)
    if after:
        rows = rows.filter(id__lt=decode(after, uuid.UUID)[0])
    found = list(rows.order_by("-id")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return Page(run_rows(found), _cursor(found, -1) if more else None, _cursor(found, 0) if after else None)


def unresolved(limit: int) -> list[RunRow]:
    """Return the newest runs that failed and that nobody has settled, by one look at their index."""
    rows = Run.objects.filter(UNRESOLVED).select_related("workflow_version", "action_version")
    return run_rows(rows.order_by("-id")[:limit])


def filtered(chosen: RunFilter) -> QuerySet[Run]:
    """Return the runs that the filter lets through."""
    rows = Run.objects.all()
    exact = {"state": chosen.state, "name": chosen.name, "kind": chosen.kind}
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if chosen.label:
        rows = rows.filter(CONDITIONS.get(chosen.label, Q(pk__in=[])))
    if chosen.parent:
        rows = rows.filter(parent_step=chosen.parent)
    if chosen.tag:
        rows = rows.filter(tags__contains=[chosen.tag])
    if chosen.since:
        rows = rows.filter(created_at__gte=chosen.since)
    if chosen.until:
        rows = rows.filter(created_at__lt=chosen.until)
    return rows.filter(_search(chosen.q)) if chosen.q else rows


def _search(text: str) -> Q:
    found = Q(key=text) | Q(title__icontains=text) | Q(name=text)
    try:
        return found | Q(pk=uuid.UUID(text))
    except ValueError:
        return found


def run_rows(found: Iterable[Run]) -> list[RunRow]:
    """Return the list form of runs, with a summary of their steps in two or three queries."""
    runs_found = list(found)
    summaries = summarise(runs_found)
    return [RunRow(**row_fields(run, summaries[run.id])) for run in runs_found]


def row_fields(run: Run, summary: StepSummary) -> dict[str, Any]:
    """Return the fields of a RunRow."""
    version = run.workflow_version or run.action_version
    return {
        "id": run.id,
        "name": run.name,
        "version": version.version if version else "",
        "kind": run.kind,
        "title": run.title,
        "key": run.key,
        "state": run.state,
        "reason": run.reason,
        "label": _shown(run, summary),
        "now": now_sentence(run, summary.current),
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "trigger": run.trigger,
        "actor": run.actor,
        "steps_done": summary.done,
        "steps_open": summary.open,
        "steps_failed": summary.failed,
    }


def summarise(listed: list[Run]) -> dict[uuid.UUID, StepSummary]:
    """Count the steps of runs by what became of them, and find the one that each run is at; errors become readable."""
    ids = [run.id for run in listed]
    found: dict[uuid.UUID, StepSummary] = defaultdict(StepSummary)
    counted = Step.objects.filter(run__in=ids).exclude(kind__in=UNCOUNTED).exclude(key=UNDO_KEY, state="succeeded")
    for run_id, state, caught, kind, count in (
        counted.values_list("run", "state", "caught", "kind").annotate(n=Count("id")).order_by()
    ):
        summary = found[run_id]
        if state in OPEN:
            summary.open += count
        elif state == "failed" and not caught:
            summary.failed += count
        elif kind == "undo" and state != "cancelled":
            summary.undone += count
        elif state != "cancelled":
            summary.done += count
    going = {run.id: run for run in listed}
    at = Step.objects.filter(run__in=ids, state__in=[*OPEN, "failed"], caught=False).defer("input", "output")
    for step in at.order_by("due_at"):
        summary = found[step.run_id]
        told, run = summary.current, going[step.run_id]
        if told is None or _weight(run, step) > _weight(run, told):
            summary.current = step
    _open_errors(ids, [*listed, *(summary.current for summary in found.values() if summary.current)])
    return found


def _weight(run: Run, step: Step) -> tuple[bool, int]:
    """Return how much a step says about where its run is: what it waits for says most, a deadline or a join least."""
    return run.state == "waiting" and _explains(run.reason, step), _stage(step)


def _explains(reason: str, step: Step) -> bool:
    """Tell whether a run may be waiting for this reason because of the step."""
    if reason == "back_off":
        return step.failures > 0
    return reason in _AWAITED and waits(step.kind, step.function) == _AWAITED[reason]


def _stage(step: Step) -> int:
    if step.state in ("running", "failed"):
        return 3
    return 0 if step.kind in UNCOUNTED else 2 if step.state == "waiting" else 1


def _open_errors(ids: list[uuid.UUID], rows: list[Run | Step]) -> None:
    """Put errors in the place of their references: sentences quote them, and a traceback makes most of them large."""
    wanted = payloads.digests(*(row.error for row in rows))
    if wanted:
        texts = dict(Payload.objects.filter(run__in=ids, digest__in=wanted).values_list("digest", "value"))
        for row in rows:
            row.error = payloads.resolve(row.error, texts)


def status_counts(chosen: RunFilter) -> dict[str, int]:
    """Return how many runs have each label, counting at most 10,000 of each so that the page stays quick."""
    rows = filtered(chosen)
    return {name: rows.filter(condition).values("pk")[:COUNT_LIMIT].count() for name, condition in CONDITIONS.items()}


def list_token(chosen: RunFilter) -> str:
    """Return a text that changes when the newest page of this list would look different."""
    newest = [str(pk) + state + reason for pk, state, reason in _signs(filtered(chosen))]
    return uuid.uuid5(uuid.NAMESPACE_OID, "".join(newest)).hex


def newer_than(chosen: RunFilter, run_id: uuid.UUID) -> int:
    """Return how many runs of the list are newer than this one, at most 1,000."""
    return filtered(chosen).filter(id__gt=run_id).values("pk")[:1_000].count()


def _signs(rows: QuerySet[Run]) -> Iterable[tuple[uuid.UUID, str, str]]:
    return rows.order_by("-id").values_list("pk", "state", "reason")[:50]


def _shown(run: Run, summary: StepSummary) -> str:
    """A pending run whose first step runs is running: the first checkpoint records it only afterwards."""
    started = run.state == "pending" and summary.current is not None and summary.current.state == "running"
    return "running" if started else label(run.state, run.reason, run.resolved_at)


def _cursor(found: list[Run], index: int) -> str | None:
    return encode(found[index].id) if found else None
