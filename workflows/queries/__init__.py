"""Every read: the same filters, pages and counts for dashboard, API, admin and commands."""

from workflows.queries.approvals import ApprovalRow, answered_by, approval, count_approvals, open_approvals
from workflows.queries.catalogue import action, actions, workflow, workflows
from workflows.queries.chains import cut_chains
from workflows.queries.detail import audit, live_token, run
from workflows.queries.events import event, inbox
from workflows.queries.invocations import InvocationRow, invocations, last_used_actions, last_used_workflows
from workflows.queries.labels import LABELS
from workflows.queries.parts import events, step, steps
from workflows.queries.rows import (
    ActionDetail,
    ActionRow,
    AttemptView,
    AuditView,
    EntryRow,
    EventDetail,
    EventRow,
    Page,
    QueueRow,
    RunDetail,
    RunFilter,
    RunRow,
    StepView,
    VersionRow,
    WorkerRow,
    WorkflowDetail,
    WorkflowRow,
)
from workflows.queries.runs import list_token, newer_than, runs, status_counts
from workflows.queries.system import entries, entry, queues, workers

__all__ = [
    "LABELS",
    "ActionDetail",
    "ActionRow",
    "ApprovalRow",
    "AttemptView",
    "AuditView",
    "EntryRow",
    "EventDetail",
    "EventRow",
    "InvocationRow",
    "Page",
    "QueueRow",
    "RunDetail",
    "RunFilter",
    "RunRow",
    "StepView",
    "VersionRow",
    "WorkerRow",
    "WorkflowDetail",
    "WorkflowRow",
    "action",
    "actions",
    "answered_by",
    "approval",
    "audit",
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
    "newer_than",
    "open_approvals",
    "queues",
    "run",
    "runs",
    "status_counts",
    "step",
    "steps",
    "workers",
    "workflow",
    "workflows",
]
