"""Every read: the same filters, pages and counts for dashboard, API, admin and commands."""

from workflows.queries.approvals import ApprovalRow, answered_by, approval, count_approvals, open_approvals
from workflows.queries.catalogue import action, actions, workflow, workflows
from workflows.queries.chains import cut_chains
from workflows.queries.detail import audit, live_token, run
from workflows.queries.entries import entries, entry
from workflows.queries.events import event, inbox
from workflows.queries.invocations import InvocationRow, invocations, last_used_actions, last_used_workflows
from workflows.queries.labels import LABELS
from workflows.queries.messages import MessageRow, Wanted, mailbox, messages, undos, wanted
from workflows.queries.notifications import mutes, notification, notifications, undelivered
from workflows.queries.parts import events, step, steps
from workflows.queries.path import Path, PathLine, path
from workflows.queries.relatives import Children, children
from workflows.queries.rows import (
    ActionDetail,
    ActionRow,
    AttemptView,
    AuditView,
    EntryRow,
    EventDetail,
    EventRow,
    MuteRow,
    NotificationRow,
    Page,
    QueueRow,
    Relative,
    RunDetail,
    RunFilter,
    RunRow,
    StepView,
    VersionRow,
    WorkerRow,
    WorkflowDetail,
    WorkflowRow,
)
from workflows.queries.runs import list_token, newer_than, runs, status_counts, unresolved
from workflows.queries.schedules import FireRow, ScheduleDetail, ScheduleRow, schedule, schedules
from workflows.queries.system import queues, workers

__all__ = [
    "LABELS",
    "ActionDetail",
    "ActionRow",
    "ApprovalRow",
    "AttemptView",
    "AuditView",
    "Children",
    "EntryRow",
    "EventDetail",
    "EventRow",
    "FireRow",
    "InvocationRow",
    "MessageRow",
    "MuteRow",
    "NotificationRow",
    "Page",
    "Path",
    "PathLine",
    "QueueRow",
    "Relative",
    "RunDetail",
    "RunFilter",
    "RunRow",
    "ScheduleDetail",
    "ScheduleRow",
    "StepView",
    "VersionRow",
    "Wanted",
    "WorkerRow",
    "WorkflowDetail",
    "WorkflowRow",
    "action",
    "actions",
    "answered_by",
    "approval",
    "audit",
    "children",
    "count_approvals",
    "cut_chains",
    "entries",
    "entry",
    "event",
    "events",
    "inbox",
    "invocations",
    "last_used_actions",
    "last_used_workflows",
    "list_token",
    "live_token",
    "mailbox",
    "messages",
    "mutes",
    "newer_than",
    "notification",
    "notifications",
    "open_approvals",
    "path",
    "queues",
    "run",
    "runs",
    "schedule",
    "schedules",
    "status_counts",
    "step",
    "steps",
    "undelivered",
    "undos",
    "unresolved",
    "wanted",
    "workers",
    "workflow",
    "workflows",
]
