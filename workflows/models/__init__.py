from workflows.models.batches import Batch, BatchItem
from workflows.models.chores import Chore
from workflows.models.datastore import Entry, EntryVersion
from workflows.models.definitions import Workflow, WorkflowVersion
from workflows.models.epoch import Epoch
from workflows.models.events import Delivery, Endpoint, Event, Message, Subscription
from workflows.models.failures import Failure, FailureCount, FailureGroup
from workflows.models.notifications import Notice, Notification, NotificationItem, NotificationMute, NotificationRule
from workflows.models.queues import Queue
from workflows.models.rollups import Gauge, Rollup, RollupPlace
from workflows.models.runs import Attempt, Branch, IdempotencyKey, Payload, Run, Step
from workflows.models.schedules import Schedule, ScheduleFire
from workflows.models.undo import Undo
from workflows.models.views import SavedView
from workflows.models.workers import Worker

__all__ = [
    "Attempt",
    "Batch",
    "BatchItem",
    "Branch",
    "Chore",
    "Delivery",
    "Endpoint",
    "Entry",
    "EntryVersion",
    "Epoch",
    "Event",
    "Failure",
    "FailureCount",
    "FailureGroup",
    "Gauge",
    "IdempotencyKey",
    "Message",
    "Notice",
    "Notification",
    "NotificationItem",
    "NotificationMute",
    "NotificationRule",
    "Payload",
    "Queue",
    "Rollup",
    "RollupPlace",
    "Run",
    "SavedView",
    "Schedule",
    "ScheduleFire",
    "Step",
    "Subscription",
    "Undo",
    "Worker",
    "Workflow",
    "WorkflowVersion",
]
