"""Run a case through the real worker and the real database, in the test's own process.

Nothing is waited for: when a run rests, time jumps in its rows to where the next timer falls due.
"""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.db import connection

from audit.models import AuditEvent
from tests.conformance.judging import Came, judge, judge_refusal
from tests.conformance.publishing import text_of
from tests.conformance.tables import Case
from tests.support.answers import TABLE
from tests.support.engine import start_workflow, state, work_until_idle
from tests.support.paths import tasks_run
from workflows import operations, queries
from workflows.approvals import Person
from workflows.models import Run, Step, Undo, WorkflowVersion
from workflows.programs import workflow_program

ACTOR, PERSON = "user:test", Person("ada")
STOPPED = ("succeeded", "failed", "cancelled")
MOST_TIMERS = 200
JUMP = """
    WITH open AS (
        SELECT s.id, s.due_at - now() AS ahead FROM step s JOIN run r ON r.id = s.run_id
        WHERE s.state = 'ready' AND s.due_at > now() AND r.state NOT IN ('succeeded', 'failed', 'cancelled'))
    UPDATE step SET due_at = step.due_at - (SELECT min(ahead) FROM open) FROM open WHERE open.id = step.id
"""


def play(case: Case) -> None:
    """Publish the documents of a case, run the last one, compare. Raises AssertionError."""
    for document in case.documents[:-1]:
        _publish(document)
    if case.refused:
        return judge_refusal(case, operations.check_workflow(text_of(case.documents[-1]))[1])
    TABLE.fill(case.answers or {})
    version = _publish(case.documents[-1])
    return judge(case, _run(version, case.input, list(case.messages), timers=case.resting is None))


def execute(document: Any, value: Any) -> Came:
    """Publish and run a document of the features."""
    return _run(_publish(document), value, [])


def _publish(document: Any) -> WorkflowVersion:
    draft = operations.draft_workflow(text_of(document), actor=ACTOR)
    return operations.publish_workflow(draft.id, actor=ACTOR)


def _run(version: WorkflowVersion, value: Any, messages: list[Mapping[str, Any]], *, timers: bool = True) -> Came:
    run_id = start_workflow(version.workflow.name, value)
    while messages and messages[0].get("early"):
        _happen(run_id, messages.pop(0))
    _work()
    for message in messages:
        _happen(run_id, message)
        _work()
    for _ in range(MOST_TIMERS if timers else 0):
        if state(run_id) in STOPPED or not _fire():
            break
        _work()
    return _came(version, run_id)


def _work() -> None:
    work_until_idle(patience=0.05)


def _fire() -> bool:
    """Jump to when the next timer is due, the others that much nearer; tell whether there was one."""
    with connection.cursor() as cursor:
        cursor.execute(JUMP)
        return bool(cursor.rowcount)


def _happen(run_id: uuid.UUID, message: Mapping[str, Any]) -> None:
    if "fire" in message:
        _fire()
        return
    if "answer" in message:
        key = Step.objects.values_list("key", flat=True).get(run=run_id, function="approval:1.0.0", state="waiting")
        operations.answer_approval(run_id, key, **message["answer"], person=PERSON, actor=ACTOR)
        return
    event = {"specversion": "1.0", "source": "/tests", **message["event"]}
    if "subject" in event:
        event["subject"] = event["subject"].replace("<run>", str(run_id))
    operations.deliver_event(event, actor=ACTOR, via="api")


def _came(version: WorkflowVersion, run_id: uuid.UUID) -> Came:
    detail = queries.run(run_id, reveal=True)
    assert detail is not None
    path = tasks_run(workflow_program(version.id), _path(run_id))
    undone = Undo.objects.filter(run_id=run_id, state="done").order_by("step__finished_at").values_list("name", "input")
    reason = Run.objects.values_list("reason", flat=True).get(pk=run_id)
    return Came(str(run_id), detail.state, detail.output, detail.error, reason, path, TABLE.calls, list(undone))


def _path(run_id: uuid.UUID) -> list[str]:
    """Return the path through a run as its audit trail tells it, over all its branches."""
    found: list[str] = []
    for event in AuditEvent.objects.filter(run=run_id).order_by("id"):
        data = json.loads(event.data)
        if event.kind == "step.succeeded":
            found.append(data["step"])
        found += data.get("path", [])
    return found
