"""Every way in: validate, persist, audit, wake the workers. Edges make one call here and render the result."""

from workflows.operations.again import run_again
from workflows.operations.answering import answer_approval
from workflows.operations.batches import MOST_RUNS, Choice, start_batch, stop_batch
from workflows.operations.commands import cancel, resolve, retry
from workflows.operations.deliveries import Incoming
from workflows.operations.editing import UNCHANGED, Checked, check_edit
from workflows.operations.endpoints import endpoint_url, save_endpoint, secret_problem
from workflows.operations.entries import delete_entry, put_entry
from workflows.operations.erasing import erase
from workflows.operations.errors import (
    AnswerInvalid,
    DefinitionInvalid,
    EventInvalid,
    GoneRun,
    InputInvalid,
    KeyConflict,
    KeyInvalid,
    NotAllowed,
    OperationError,
    TooDeep,
    UnknownBatch,
    UnknownDefinition,
    UnknownEvent,
    UnknownFailure,
    UnknownMute,
    UnknownNotification,
    UnknownQueue,
    UnknownRun,
    UnknownSchedule,
    UnknownStep,
    UnknownVersion,
    UnknownView,
    UnknownWorker,
    VersionConflict,
)
from workflows.operations.events import Delivered, deliver_event, deliver_events, replay_event
from workflows.operations.exports import note_export
from workflows.operations.failures import ignore_failure, reopen_failure, resolve_failure
from workflows.operations.keeping import keep_runs
from workflows.operations.many_starts import KeyTwice, Start, StartsRefused, TooMany, check_many, start_many
from workflows.operations.missing import missing
from workflows.operations.notifications import mute, resend, save_rule, send_test, unmute
from workflows.operations.pausing import resume, suspend
from workflows.operations.publishing import check_workflow, draft_workflow, examine_workflow, publish_workflow
from workflows.operations.queues import pause_queue, resume_queue
from workflows.operations.repair import fire_timer, skip
from workflows.operations.revealing import reveal
from workflows.operations.saved_views import delete_view, save_view
from workflows.operations.schedules import pause_schedule, resume_schedule, run_schedule_now
from workflows.operations.start import Started, check_input, start_action, start_workflow
from workflows.operations.undoing import undo
from workflows.operations.verifying import ask_verification
from workflows.operations.waiting import wait_for
from workflows.operations.webhooks import Accepted, SignatureRefused, receive_signed, receive_webhook
from workflows.operations.workers import drain_worker, undrain_worker

__all__ = [
    "MOST_RUNS",
    "UNCHANGED",
    "Accepted",
    "AnswerInvalid",
    "Checked",
    "Choice",
    "DefinitionInvalid",
    "Delivered",
    "EventInvalid",
    "GoneRun",
    "Incoming",
    "InputInvalid",
    "KeyConflict",
    "KeyInvalid",
    "KeyTwice",
    "NotAllowed",
    "OperationError",
    "SignatureRefused",
    "Start",
    "Started",
    "StartsRefused",
    "TooDeep",
    "TooMany",
    "UnknownBatch",
    "UnknownDefinition",
    "UnknownEvent",
    "UnknownFailure",
    "UnknownMute",
    "UnknownNotification",
    "UnknownQueue",
    "UnknownRun",
    "UnknownSchedule",
    "UnknownStep",
    "UnknownVersion",
    "UnknownView",
    "UnknownWorker",
    "VersionConflict",
    "answer_approval",
    "ask_verification",
    "cancel",
    "check_edit",
    "check_input",
    "check_many",
    "check_workflow",
    "delete_entry",
    "delete_view",
    "deliver_event",
    "deliver_events",
    "draft_workflow",
    "drain_worker",
    "endpoint_url",
    "erase",
    "examine_workflow",
    "fire_timer",
    "ignore_failure",
    "keep_runs",
    "missing",
    "mute",
    "note_export",
    "pause_queue",
    "pause_schedule",
    "publish_workflow",
    "put_entry",
    "receive_signed",
    "receive_webhook",
    "reopen_failure",
    "replay_event",
    "resend",
    "resolve",
    "resolve_failure",
    "resume",
    "resume_queue",
    "resume_schedule",
    "retry",
    "reveal",
    "run_again",
    "run_schedule_now",
    "save_endpoint",
    "save_rule",
    "save_view",
    "secret_problem",
    "send_test",
    "skip",
    "start_action",
    "start_batch",
    "start_many",
    "start_workflow",
    "stop_batch",
    "suspend",
    "undo",
    "undrain_worker",
    "unmute",
    "wait_for",
]
