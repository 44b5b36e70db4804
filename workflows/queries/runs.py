"""Lists of runs: keyset pages both ways, rows with a summary of their steps, change tokens; for every edge alike."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Count, QuerySet, Sum

from dotdo_site.lib.paging import decode, encode
from workflows import payloads, rules
from workflows.models import Payload, Run, Step
from workflows.queries.filtering import in_order
from workflows.queries.labels import label, waits
from workflows.queries.rows import Page, RunFilter, RunRow
from workflows.queries.sentences import now_sentence

OPEN = ("ready", "running", "waiting", "held")
# Deadlines, and what goes on behind a fork, are not what people call steps.
UNCOUNTED = ("timer", "join")
_AWAITED = {"person": "waiting_person", "event": "waiting_event", "child": "waiting_child", "timer": "waiting"}
LISTED = (
    "name", "kind", "title", "key", "state", "reason", "error", "created_at", "started_at", "finished_at",
    "resolved_at", "stopped_at", "trigger", "actor", "workflow_version__version", "action_version__version",
)  # fmt: skip
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
    rows = listed(in_order(chosen))
    if before:
        found = list(rows.filter(id__gt=decode(before, uuid.UUID)[0]).order_by("id")[: limit + 1])
        if not found:  # whatever was newer is gone: that is the first page
            return runs(chosen, limit=limit)
        more, found = len(found) > limit, found[:limit][::-1]
        return Page(run_rows(found), _cursor(found, -1), _cursor(found, 0) if more else None)
    if after:
        rows = rows.filter(id__lt=decode(after, uuid.UUID)[0])
    found = list(rows.order_by("-id")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return Page(run_rows(found), _cursor(found, -1) if more else None, _cursor(found, 0) if after else None)


def some_runs(ids: Sequence[uuid.UUID]) -> list[RunRow]:
    """Return these runs as a list shows them, newest first; those that are gone are left out."""
    return run_rows(listed(Run.objects.filter(pk__in=ids)).order_by("-id"))


def listed(rows: QuerySet[Run]) -> QuerySet[Run]:
    """Read only what a list shows: a run and its definition may be large."""
    return rows.select_related("workflow_version", "action_version").only(*LISTED)


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
        "rested_at": run.stopped_at if run.state == "failed" else None,
        "trigger": run.trigger,
        "actor": run.actor,
        "steps_done": summary.done,
        "steps_open": summary.open,
        "steps_failed": summary.failed,
        "refusals": _refusals(run.state, run.resolved_at, run.reason),
    }


@lru_cache(maxsize=1_000)
def _refusals(state: str, resolved_at: datetime | None, reason: str) -> Mapping[str, str]:
    """Return why which verb is not allowed, made once for each state; a verb that is not named is."""
    found = {
        "retry": rules.retry_refusal(state, resolved_at, reason),
        "resolve": rules.resolve_refusal(state, resolved_at),
        "suspend": rules.suspend_refusal(state),
        "resume": rules.resume_refusal(state),
        "cancel": rules.cancel_refusal(state),
    }
    return {verb: refusal for verb, refusal in found.items() if refusal}


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


def signs(ids: Sequence[uuid.UUID]) -> str:
    """Return a text that changes when one of these runs would look different in a list."""
    rows = Run.objects.filter(pk__in=ids).annotate(moved=Sum("branches__revision"))
    found = [*rows.order_by("id").values_list("pk", "state", "reason", "resolved_at", "moved")]
    leased = Step.objects.filter(run__in=ids, state="running").order_by("id").values_list("pk", "claim")
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{found}{list(leased)}").hex


def _shown(run: Run, summary: StepSummary) -> str:
    """A pending run whose first step runs is running: the first checkpoint records it only afterwards."""
    started = run.state == "pending" and summary.current is not None and summary.current.state == "running"
    return "running" if started else label(run.state, run.reason, run.resolved_at)


def _cursor(found: list[Run], index: int) -> str | None:
    return encode(found[index].id) if found else None
