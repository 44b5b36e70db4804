from workflows.models.chores import Chore
from workflows.models.datastore import Entry
from workflows.models.definitions import Workflow, WorkflowVersion
from workflows.models.epoch import Epoch
from workflows.models.events import Delivery, Endpoint, Event, Message, Subscription
from workflows.models.notifications import Notice, Notification, NotificationItem, NotificationMute, NotificationRule
from workflows.models.runs import Attempt, Branch, IdempotencyKey, Payload, Run, Step
from workflows.models.schedules import Schedule, ScheduleFire
from workflows.models.undo import Undo
from workflows.models.workers import Worker

__all__ = [
    "Attempt",
    "Branch",
    "Chore",
    "Delivery",
    "Endpoint",
    "Entry",
    "Epoch",
    "Event",
    "IdempotencyKey",
    "Message",
    "Notice",
    "Notification",
    "NotificationItem",
    "NotificationMute",
    "NotificationRule",
    "Payload",
    "Run",
    "Schedule",
    "ScheduleFire",
    "Step",
    "Subscription",
    "Undo",
    "Worker",
    "Workflow",
    "WorkflowVersion",
]
