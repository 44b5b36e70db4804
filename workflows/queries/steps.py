"""The steps of a run: as lines for what draws many of them, with their data for what shows one."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils import timezone

from actions.models import ActionVersion
from workflows import rules
from workflows.models import Attempt, Run, Step
from workflows.queries.labels import step_label
from workflows.queries.opening import Opener, cells_of_steps
from workflows.queries.places import branches, inside, title
from workflows.queries.rows import AttemptLine, AttemptView, StepLine, StepView

TOLD = ("number", "outcome", "worker", "started_at", "finished_at")


def step_views(found: Run, steps: list[Step], *, reveal: bool = False) -> list[StepView]:
    """Return steps of a run with their attempts and all their data."""
    attempts = list(Attempt.objects.filter(step__in=steps).order_by("step", "number"))
    opener = Opener(found, cells_of_steps(steps, attempts), reveal=reveal)
    by_step = _by_step(attempts)
    return [_view(found, step, by_step[step.id], opener) for step in steps]


def step_lines(found: Run, steps: list[Step]) -> list[StepLine]:
    """Return steps of a run with their attempts, without data; the steps may lack the columns that hold it."""
    tried: dict[uuid.UUID, list[AttemptLine]] = defaultdict(list)
    rows = Attempt.objects.filter(step__in=steps).order_by("step", "number")
    for step, *told in rows.values_list("step", *TOLD):
        tried[step].append(AttemptLine(**dict(zip(TOLD, told, strict=True))))
    return [_line(found, step, tried.get(step.id, [])) for step in steps]


def _by_step(attempts: Iterable[Attempt]) -> Mapping[uuid.UUID, list[Attempt]]:
    found: dict[uuid.UUID, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        found[attempt.step_id].append(attempt)
    return found


def _line(found: Run, step: Step, tried: list[AttemptLine]) -> StepLine:
    quiet = [AttemptLine(**_quiet(step))] if _was_quiet(step, tried) else []
    return StepLine(**_facts(found, step), attempts=[*tried, *quiet])


def _view(found: Run, step: Step, attempts: list[Attempt], opener: Opener) -> StepView:
    version = step.action_version
    taking, giving = (version.input_schema, version.output_schema) if version else ({}, {})
    views = [_attempt_view(attempt, opener, taking, giving) for attempt in attempts]
    if _was_quiet(step, attempts):
        views.append(_quiet_success(step, opener, taking, giving))
    facts = _facts(found, step)
    key = f"{found.id}:{facts['key']}:{step.generation}" if facts["kind"] == "call" else ""
    return StepView(
        **facts,
        generation=step.generation,
        idempotency_key=key,
        input=opener.open(step.input, taking),
        output=opener.open(step.output, giving),
        error=opener.open(step.error),
        policy=_policy(version),
        leased_by=step.leased_by,
        attempts=views,
    )


def _facts(found: Run, step: Step) -> dict[str, Any]:
    kind, key = _place(step)
    return {
        "id": step.id,
        "key": key,
        "ref": step.ref,
        "name": step.name,
        "title": title(step.kind, step.name, step.function),
        "kind": kind,
        "function": step.function,
        "state": step.state,
        "label": step_label(step.state, kind, step.failures, function=step.function, caught=step.caught),
        "due_at": step.due_at,
        "attempt": step.attempt,
        "failures": step.failures,
        "crashes": step.crashes,
        "created_at": step.created_at,
        "started_at": step.started_at,
        "finished_at": step.finished_at,
        "caught": step.caught,
        "inside": inside(key),
        "branches": branches(key),
        **_allowed(found, step),
    }


def _allowed(found: Run, step: Step) -> dict[str, Any]:
    """Return what may be done with a step: None, or why not."""
    ahead = step.due_at > timezone.now()
    return {
        "can_edit": rules.edit_refusal(
            found.state,
            found.resolved_at,
            found.reason,
            kind=step.kind,
            state=step.state,
            caught=step.caught,
            known=step.action_version_id is not None,
        ),
        "can_skip": rules.skip_refusal(found.state, step.kind, step.state, caught=step.caught),
        "can_fire": rules.fire_refusal(
            found.state, step.kind, step.state, function=step.function, in_future=ahead
        ),
        "can_answer": rules.answer_refusal(found.state, step.kind, step.state, step.function),
    }  # fmt: skip


def _place(step: Step) -> tuple[str, str]:
    """Return kind and key as people know them: a start step becomes the first call once that has been recorded."""
    first_call = step.kind == "start" and step.function and step.state != "succeeded"
    return ("call", step.ref) if first_call else (step.kind, step.key)


def _attempt_view(attempt: Attempt, opener: Opener, taking: Any, giving: Any) -> AttemptView:
    return AttemptView(
        **{name: getattr(attempt, name) for name in TOLD},
        input=opener.open(attempt.input, taking),
        output=opener.open(attempt.output, giving),
        error=opener.open(attempt.error),
        log=opener.open(attempt.log),
        code_version=attempt.code_version,
    )


def _was_quiet(step: Step, attempts: Iterable[Attempt | AttemptLine]) -> bool:
    """Tell whether the last attempt left no row of its own: its step says all there is to say."""
    told = {attempt.number for attempt in attempts}
    return step.state == "succeeded" and step.kind == "call" and step.attempt not in told


def _quiet(step: Step) -> dict[str, Any]:
    started = step.started_at if step.attempt == 1 else None
    return {
        "number": step.attempt,
        "outcome": "succeeded",
        "worker": None,
        "started_at": started,
        "finished_at": step.finished_at,
    }


def _quiet_success(step: Step, opener: Opener, taking: Any, giving: Any) -> AttemptView:
    given, taken = opener.open(step.output, giving), opener.open(step.input, taking)
    return AttemptView(**_quiet(step), input=taken, output=given, error=None, log=[], code_version="")


def _policy(version: ActionVersion | None) -> dict[str, Any]:
    if version is None:
        return {}
    return {
        "retry": version.retry,
        "timeout_ms": version.timeout_ms,
        "effect": version.effect,
        "transactional": version.transactional,
        "on_crash": version.on_crash,
    }
