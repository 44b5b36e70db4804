"""Every way in: validate, persist, audit, wake the workers. Edges make one call here and render the result."""

from workflows.operations.commands import cancel, retry
from workflows.operations.entries import put_entry
from workflows.operations.errors import (
    DefinitionInvalid,
    EventInvalid,
    InputInvalid,
    KeyConflict,
    KeyInvalid,
    NotAllowed,
    OperationError,
    UnknownDefinition,
    UnknownRun,
    VersionConflict,
)
from workflows.operations.events import Delivered, deliver_event
from workflows.operations.publishing import check_workflow, draft_workflow, publish_workflow
from workflows.operations.start import Started, check_input, start_action, start_workflow
from workflows.operations.waiting import wait_for

__all__ = [
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
    "VersionConflict",
    "cancel",
    "check_input",
    "check_workflow",
    "deliver_event",
    "draft_workflow",
    "publish_workflow",
    "put_entry",
    "retry",
    "start_action",
    "start_workflow",
    "wait_for",
]
