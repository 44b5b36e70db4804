"""`map`: a run for each item of a list, so many at a time; the outputs in the order of the items.

What is looked at when a child wakes the step is what is open, not what is done: a map over many items costs the same
for its last item as for its first.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from actions import schemas
from actions.errors import ActionError
from actions.limits import MAX_BYTES, check_value
from workflows import payloads, states
from workflows.engine.faults import STATUS, TYPES
from workflows.functions.children import CANCELLED, Error, ItemInvalid, Parent, failure, parent, pinned
from workflows.functions.rest import Rest
from workflows.job import Job
from workflows.models import Payload, Run, WorkflowVersion
from workflows.sql import Statement

MOST = 100_000
CONCURRENCY = 10
BATCH = 100  # runs that one transaction starts
COLLECT = "collect"
ENDED = (*states.RUN_FINAL, "failed")
# Both are read from an index, the first condition on the state being that of `run_open_child`. A failed child ends a
# map; where errors are collected it is a dead letter of its own, and its place is given to the next.
_STATE = Statement(
    """
    SELECT (SELECT max(parent_index) FROM run WHERE parent_step = :step),
        (SELECT count(*) FROM run WHERE parent_step = :step AND state NOT IN ('succeeded', 'cancelled')
            AND state IN ('pending', 'running', 'waiting', 'suspended'))
    """
)
_SIZE = Statement(
    """
    SELECT coalesce(sum(octet_length(coalesce(p.value, r.output)::text)), 0)::bigint
    FROM run r LEFT JOIN payload p ON p.run_id = r.id AND p.digest = r.output ->> '$payload'
    WHERE r.parent_step = :step
    """
)


def map_items(job: Job) -> Any:
    """Start a workflow for each item and return their outputs; an item whose run failed has its error instead.

    Raises ActionError with the first error, unless errors are collected.
    """
    items, collects = job.input["items"], job.input.get("onError") == COLLECT
    if len(items) > MOST:
        message = f"items: {len(items):,} are given; one map starts {MOST:,} runs at most"
        raise ActionError("too_many_children", message, retryable=False)
    if not collects:
        _fail_with_child(job)
    last, still_open = _still_open(job.held.step)
    begun = 0 if last is None else last + 1
    room = max(0, job.input.get("maxConcurrency", CONCURRENCY) - still_open)
    if begun < len(items) and room:
        starter = _parent(job)
        if begun == 0 and not collects:
            _check_all(starter, items)
        begun, started = _start_some(starter, items, begun, min(room, BATCH), collects=collects)
        still_open += started
        if begun < len(items) and started < room:
            return Rest("child", job.now())  # the others in a transaction of their own
    if begun < len(items) or still_open:
        return Rest("child")
    return _outputs(job, len(items))


def _still_open(step: uuid.UUID) -> tuple[int | None, int]:
    """Return the index of the last child, if there is one, and how many have neither ended nor failed."""
    last, still_open = _STATE.rows({"step": step})[0]
    return last, still_open


def _fail_with_child(job: Job) -> None:
    """Fail with the first child that did. Raises ActionError."""
    children = Run.objects.filter(parent_step=job.held.step)
    failed = children.exclude(state__in=states.RUN_FINAL).filter(state="failed").order_by("parent_index")
    child = failed.first() or children.filter(state="cancelled").first()
    if child is not None:
        raise failure(child)


def _parent(job: Job) -> Parent:
    workflow = job.input["workflow"]
    found = parent(job, workflow["name"], pinned(job, workflow))
    namespace = workflow.get("namespace", job.program.namespace)
    if not WorkflowVersion.objects.filter(pk=found.definition.id, document__document__namespace=namespace).exists():
        message = f"There is no published workflow called {workflow['name']} in the namespace {namespace}."
        raise ActionError("not_started", message, retryable=False)
    return found


def _check_all(starter: Parent, items: Sequence[Any]) -> None:
    """Refuse items that do not fit before anything has begun."""
    for index, item in enumerate(items):
        found = schemas.problems(starter.definition.input_schema, item)
        if found:
            message = f"item {index} does not fit {starter.definition.name}: {'; '.join(map(str, found[:5]))}"
            raise ItemInvalid("invalid_input", message, retryable=False)


def _start_some(starter: Parent, items: Sequence[Any], begun: int, room: int, *, collects: bool) -> tuple[int, int]:
    """Start the next children; return up to which item, and how many. An item that does not fit has no run where
    errors are collected.
    """
    started = 0
    while begun < len(items) and started < room:
        try:
            starter.start(items[begun], begun, f"item {begun}")
            started += 1
        except ItemInvalid:
            if not collects:
                raise
        begun += 1
    return begun, started


def _outputs(job: Job, count: int) -> Any:
    """Return the outputs, or errors, of all children in the order of the items.

    A collected child that a person takes up again at this very moment is waited for.
    """
    size = _SIZE.rows({"step": job.held.step})[0][0]
    if size > MAX_BYTES:
        raise _too_large(count, f"are {size:,} bytes long; {MAX_BYTES:,} are allowed")
    rows = list(Run.objects.filter(parent_step=job.held.step).order_by("parent_index"))
    if any(row.state not in ENDED for row in rows):
        return Rest("child")
    found = _payloads(rows)
    outputs: list[Any] = [None] * count
    for row in rows:
        if row.state == "succeeded":
            outputs[row.parent_index] = payloads.resolve(row.output, found.get(row.pk, {}))
        else:
            error = payloads.resolve(row.error, found.get(row.pk, {})) if row.error else CANCELLED
            outputs[row.parent_index] = {"error": error}
    without = sorted(set(range(count)).difference(row.parent_index for row in rows))
    starter = _parent(job) if without else None
    for index in without:
        assert starter is not None  # noqa: S101 - for mypy
        outputs[index] = {"error": _unfit(starter, job.input["items"][index], index)}
    problems = check_value(outputs)
    if problems:
        raise _too_large(count, problems[0].message)
    return outputs


def _payloads(rows: Sequence[Run]) -> dict[uuid.UUID, dict[str, Any]]:
    """Return the payloads that outputs and errors refer to, by run."""
    wanted = [row.pk for row in rows if payloads.digests(row.output, row.error)]
    digests = payloads.digests(*(value for row in rows for value in (row.output, row.error)))
    found: dict[uuid.UUID, dict[str, Any]] = defaultdict(dict)
    for payload in Payload.objects.filter(run__in=wanted, digest__in=digests):
        found[payload.run_id][payload.digest] = payload.value
    return found


def _unfit(starter: Parent, item: Any, index: int) -> Error:
    """Return the error of an item that has no run, because it does not fit."""
    problems = schemas.problems(starter.definition.input_schema, item) or check_value(item)
    detail = f"item {index} does not fit {starter.definition.name}: {'; '.join(map(str, problems[:5]))}"
    return {"type": f"{TYPES}validation", "status": STATUS["validation"], "title": "invalid_input", "detail": detail}


def _too_large(count: int, reason: str) -> ActionError:
    message = f"the outputs of {count:,} runs together {reason}: let the workflow give out less, or keep it elsewhere"
    return ActionError("result_too_large", message, retryable=False)
