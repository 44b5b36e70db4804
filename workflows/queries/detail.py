"""One run with everything about it: steps, attempts, audit, and what may be done with it."""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from actions import markers
from actions.models import ActionVersion
from actions.sensitive import mask
from audit.models import AuditEvent
from workflows import payloads, rules, states
from workflows.models import Attempt, Branch, Run, Step, Undo
from workflows.queries import relatives
from workflows.queries.labels import step_label
from workflows.queries.places import branches, inside, title
from workflows.queries.rows import AttemptView, AuditView, RunDetail, StepView
from workflows.queries.runs import UNDO_KEY, row_fields, summarise
from workflows.queries.sentences import audit_sentence

STEP_LIMIT = 1_000


class Opener:
    """Resolves payload references of one run and masks what is sensitive, unless it may be revealed."""

    def __init__(self, run: Run, stored: Iterable[Any], *, reveal: bool) -> None:
        self._found = payloads.load(run.id, stored)
        self._reveal = reveal

    def open(self, value: Any, schema: Any = None) -> Any:
        """Return the value that is meant, sensitive fields masked by the schema and by their names."""
        try:
            resolved = markers.shorten(payloads.resolve(value, self._found))
        except KeyError:  # the run was deleted while it was read
            return None
        return resolved if self._reveal else mask(schema or {}, resolved)


def run(run_id: uuid.UUID, *, reveal: bool = False) -> RunDetail | None:
    """Return a run with its first 1,000 steps, or None."""
    found = Run.objects.select_related("workflow_version", "action_version").filter(pk=run_id).first()
    if found is None:
        return None
    steps = list(Step.objects.filter(run=found).select_related("action_version").order_by("id")[:STEP_LIMIT])
    attempts = list(Attempt.objects.filter(step__in=steps).order_by("step", "number"))
    opener = Opener(found, _stored(found, steps, attempts), reveal=reveal)
    summary = summarise([found])[found.id]
    definition = found.workflow_version or found.action_version
    assert definition is not None  # noqa: S101 - the CHECK run_one_definition
    return RunDetail(
        **row_fields(found, summary),
        **_allowed(found),
        parent=relatives.parent(found),
        input=opener.open(found.input, definition.input_schema),
        output=opener.open(found.output, getattr(definition, "output_schema", {})),
        error=opener.open(found.error),
        context=opener.open(found.context),
        tags=list(found.tags),
        steps=_step_views(found, steps, attempts, opener),
        steps_total=summary.done + summary.undone + summary.open + summary.failed,
        audit_seq=_audit_seq(found.id),
        definition_id=definition.id,
    )


def _allowed(found: Run) -> dict[str, Any]:
    """Return what may be done with a run: None, or why not."""
    over = found.state in states.RUN_FINAL
    recorded = 0 if over else Undo.objects.filter(run=found, state__in=("recorded", "running")).count()
    begun = not over and Step.objects.filter(run=found, key=UNDO_KEY).exists()
    return {
        "can_retry": rules.retry_refusal(found.state, found.resolved_at, found.reason),
        "can_cancel": rules.cancel_refusal(found.state),
        "can_suspend": rules.suspend_refusal(found.state),
        "can_resume": rules.resume_refusal(found.state),
        "can_resolve": rules.resolve_refusal(found.state, found.resolved_at),
        "can_undo": rules.undo_refusal(found.state, recorded=recorded, begun=begun),
        "can_erase": rules.erase_refusal(found.state, found.resolved_at, found.reason, started_by=found.root),
        "can_send": rules.cancel_refusal(found.state),
    }


def audit(run_id: uuid.UUID, *, after: int = 0, limit: int = 200) -> list[AuditView]:
    """Return the audit events of a run in the order in which they happened, from its event number `after` on.

    Not by id: the links of one checkpoint are inserted by one statement, in whatever order the server chooses.
    """
    rows = AuditEvent.objects.filter(run=run_id).order_by("at", "chain", "seq")[after : after + limit]
    return [audit_view(event) for event in rows]


def live_token(run_id: uuid.UUID) -> str:
    """Return a text that changes whenever the run does."""
    leased = Step.objects.filter(run=run_id, state="running").values_list("claim", flat=True).first()
    return f"{_audit_seq(run_id)}.{leased or 0}"


def _audit_seq(run_id: uuid.UUID) -> int:
    revisions = Branch.objects.filter(run=run_id).values_list("revision", "audit_seq")
    return sum(revision + seq for revision, seq in revisions)


def _stored(found: Run, steps: list[Step], attempts: list[Attempt]) -> list[Any]:
    cells = [found.input, found.output, found.error, found.context]
    for step in steps:
        cells += [step.input, step.output, step.error]
    for attempt in attempts:
        cells += [attempt.input, attempt.output, attempt.error, attempt.log]
    return cells


def step_views(found: Run, steps: list[Step], *, reveal: bool = False) -> list[StepView]:
    """Return steps of a run with their attempts."""
    attempts = list(Attempt.objects.filter(step__in=steps).order_by("step", "number"))
    opener = Opener(found, _stored(found, steps, attempts), reveal=reveal)
    return _step_views(found, steps, attempts, opener)


def _step_views(found: Run, steps: list[Step], attempts: list[Attempt], opener: Opener) -> list[StepView]:
    by_step: dict[uuid.UUID, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_step[attempt.step_id].append(attempt)
    return [_step_view(found, step, by_step[step.id], opener) for step in steps]


def _step_view(found: Run, step: Step, attempts: list[Attempt], opener: Opener) -> StepView:
    version = step.action_version
    taking, giving = (version.input_schema, version.output_schema) if version else ({}, {})
    kind, key = _place(step)
    views = [_attempt_view(attempt, opener, taking, giving) for attempt in attempts]
    if step.state == "succeeded" and step.kind == "call" and step.attempt not in {view.number for view in views}:
        views.append(_quiet_success(step, opener, taking, giving))
    return StepView(
        id=step.id,
        key=key,
        ref=step.ref,
        name=step.name,
        title=title(step.kind, step.name, step.function),
        kind=kind,
        function=step.function,
        state=step.state,
        label=step_label(step.state, kind, step.failures, function=step.function, caught=step.caught),
        due_at=step.due_at,
        attempt=step.attempt,
        failures=step.failures,
        crashes=step.crashes,
        generation=step.generation,
        idempotency_key=f"{found.id}:{key}:{step.generation}" if kind == "call" else "",
        input=opener.open(step.input, taking),
        output=opener.open(step.output, giving),
        error=opener.open(step.error),
        created_at=step.created_at,
        started_at=step.started_at,
        finished_at=step.finished_at,
        policy=_policy(version),
        leased_by=step.leased_by,
        caught=step.caught,
        inside=inside(key),
        branches=branches(key),
        can_skip=rules.skip_refusal(found.state, step.kind, step.state, caught=step.caught),
        can_fire=rules.fire_refusal(
            found.state, step.kind, step.state, function=step.function, in_future=step.due_at > timezone.now()
        ),
        can_answer=rules.answer_refusal(found.state, step.kind, step.state, step.function),
        attempts=views,
    )


def _place(step: Step) -> tuple[str, str]:
    """Return kind and key as people know them: a start step becomes the first call once that has been recorded."""
    first_call = step.kind == "start" and step.function and step.state != "succeeded"
    return ("call", step.ref) if first_call else (step.kind, step.key)


def _attempt_view(attempt: Attempt, opener: Opener, taking: Any, giving: Any) -> AttemptView:
    return AttemptView(
        number=attempt.number,
        outcome=attempt.outcome,
        input=opener.open(attempt.input, taking),
        output=opener.open(attempt.output, giving),
        error=opener.open(attempt.error),
        log=opener.open(attempt.log),
        worker=attempt.worker,
        code_version=attempt.code_version,
        started_at=attempt.started_at,
        finished_at=attempt.finished_at,
    )


def _quiet_success(step: Step, opener: Opener, taking: Any, giving: Any) -> AttemptView:
    """The attempt that left no row of its own: its step says all there is to say."""
    return AttemptView(
        number=step.attempt,
        outcome="succeeded",
        input=opener.open(step.input, taking),
        output=opener.open(step.output, giving),
        error=None,
        log=[],
        worker=None,
        code_version="",
        started_at=step.started_at if step.attempt == 1 else None,
        finished_at=step.finished_at,
    )


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


def audit_view(event: AuditEvent) -> AuditView:
    """Return an audit event in words."""
    data = json.loads(event.data)
    return AuditView(
        seq=event.seq,
        chain=event.chain,
        at=event.at,
        kind=event.kind,
        actor=event.actor,
        reason=event.reason,
        data=data,
        sentence=audit_sentence(event.kind, data),
    )
