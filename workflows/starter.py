"""Start a run for a schedule. A start that is refused is recorded, and the schedule goes on."""

import logging
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from audit.recording import record
from workflows import programs
from workflows.language.program import Schedule as Rule
from workflows.operations.errors import OperationError
from workflows.operations.start import Origin, start_workflow

log = logging.getLogger(__name__)
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Starter:
    """A schedule under lock, and the workflow that it starts."""

    id: uuid.UUID
    workflow: uuid.UUID
    name: str
    version_id: uuid.UUID
    version: str


def start(taken: Starter, value: Any, trigger: str, key: str, title: str = "", depth: int = 0) -> uuid.UUID | None:
    """Start the run in the open transaction; None when that was refused, which is recorded."""
    options = {"version": taken.version, "key": key, "title": title, "origin": Origin(depth=depth)}
    try:
        with transaction.atomic():
            return start_workflow(taken.name, value, actor=f"schedule:{taken.name}", trigger=trigger, **options).run_id
    except OperationError as error:
        problems = [str(problem) for problem in getattr(error, "problems", [])]
        data = {"key": key, "version": taken.version, "error": error.message, "problems": problems[:10]}
        log.warning("the schedule of %s could not start a run: %s", taken.name, error.message)
        record(chain=taken.workflow, kind="schedule.failed", actor=SYSTEM, data=data)
        return None


def rule_of(version: uuid.UUID) -> Rule:
    """Return the schedule that a version of a workflow brings."""
    rule = programs.workflow_program(version).schedule
    assert rule is not None  # noqa: S101 - schedules are made from versions that have one
    return rule
