"""Every way in: validate, persist, audit, wake the workers. Edges make one call here and render the result."""

from workflows.operations.answering import answer_approval
from workflows.operations.commands import cancel, resolve, retry
from workflows.operations.entries import put_entry
from workflows.operations.errors import (
    AnswerInvalid,
    DefinitionInvalid,
    EventInvalid,
    InputInvalid,
    KeyConflict,
    KeyInvalid,
    NotAllowed,
    OperationError,
    UnknownDefinition,
    UnknownRun,
    UnknownStep,
    VersionConflict,
)
from workflows.operations.events import Delivered, deliver_event, deliver_events
from workflows.operations.pausing import resume, suspend
from workflows.operations.publishing import check_workflow, draft_workflow, examine_workflow, publish_workflow
from workflows.operations.repair import fire_timer, skip
from workflows.operations.start import Started, check_input, start_action, start_workflow
from workflows.operations.undoing import undo
from workflows.operations.waiting import wait_for

__all__ = [
    "AnswerInvalid",
    "DefinitionInvalid",
    "Delivered",
    "EventInvalid",
    "InputInvalid",
    "KeyConflict",
    "KeyInvalid",
    "NotAllowed",
    "OperationError",
    "Started",
    "UnknownDefinition",
    "UnknownRun",
    "UnknownStep",
    "VersionConflict",
    "answer_approval",
    "cancel",
    "check_input",
    "check_workflow",
    "deliver_event",
    "deliver_events",
    "draft_workflow",
    "examine_workflow",
    "fire_timer",
    "publish_workflow",
    "put_entry",
    "resolve",
    "resume",
    "retry",
    "skip",
    "start_action",
    "start_workflow",
    "suspend",
    "undo",
    "wait_for",
]
