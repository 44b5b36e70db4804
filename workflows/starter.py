"""Start a run for a schedule. A start that is refused is recorded, and the schedule goes on."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from audit.recording import record
from workflows import programs
from workflows.language.program import Schedule as Rule
from workflows.models import Workflow
from workflows.notifications import outbox
from workflows.operations.errors import OperationError
from workflows.operations.new_runs import Origin
from workflows.operations.schedules import set_paused
from workflows.operations.start import start_workflow, title_of
from workflows.outage import is_outage

log = logging.getLogger(__name__)
SYSTEM = "system"
LONGEST_REASON = 1_000


@dataclass(frozen=True, slots=True)
class Starter:
    """A schedule under lock, and the workflow that it starts."""

    id: uuid.UUID
    workflow: uuid.UUID
    name: str
    version_id: uuid.UUID
    version: str


@contextmanager
def pausing(schedule: uuid.UUID, workflow: uuid.UUID, name: str) -> Iterator[None]:
    """Undo the block and pause the schedule when it cannot be read: it must not keep others waiting; a person looks."""
    try:
        with transaction.atomic():
            yield
    except Exception as error:
        if is_outage(error):
            raise
        log.exception("the schedule of %s cannot be read and is paused", name)
        reason = f"it cannot be read: {error}"[:LONGEST_REASON]
        set_paused(schedule, workflow, actor=SYSTEM, reason=reason)
        outbox.schedule_failed(name, f"It is paused: {reason}")


def start(taken: Starter, value: Any, trigger: str, key: str, title: str = "", depth: int = 0) -> uuid.UUID | None:
    """Start the run in the open transaction; None when that was refused, which is recorded.

    Without a title it has that of the workflow: the key is for machines.
    """
    titled = title or title_of(Workflow.objects.get(pk=taken.workflow))
    options = {"version": taken.version, "key": key, "title": titled, "origin": Origin(depth=depth)}
    try:
        with transaction.atomic():
            return start_workflow(taken.name, value, actor=f"schedule:{taken.name}", trigger=trigger, **options).run_id
    except OperationError as error:
        problems = [str(problem) for problem in getattr(error, "problems", [])]
        data = {"key": key, "version": taken.version, "error": error.message, "problems": problems[:10]}
        log.warning("the schedule of %s could not start a run: %s", taken.name, error.message)
        record(chain=taken.workflow, kind="schedule.failed", actor=SYSTEM, data=data)
        outbox.schedule_failed(taken.name, "; ".join([error.message, *problems[:3]]))
        return None


def rule_of(version: uuid.UUID) -> Rule:
    """Return the schedule that a version of a workflow brings."""
    rule = programs.workflow_program(version).schedule
    assert rule is not None  # noqa: S101 - schedules are made from versions that have one
    return rule
