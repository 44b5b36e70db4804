"""Who is told of what: rules, what there is to tell (written in the transaction in which it happened), and messages."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from actions.models import Connection
from dotdo_site.lib.ids import uuid7

NOTICE_STATES = {
    "new": "Nobody has looked yet whom it concerns.",
    "told": "It is part of a message.",
}
NOTIFICATION_STATES = {
    "waiting": "Due at `due_at`: the first time, or again after a failure.",
    "sent": "The receiver has taken it.",
    "dropped": "There was nothing left to tell: repaired, ended or muted before it was sent.",
    "dead": "Every attempt failed, or the mail server refused it for good; a person can send it again.",
    "gone": "The webhook answered 410: nothing more is sent there until a person sends it again or saves its rule.",
}


class NotificationRule(models.Model):
    """Tell these people about these kinds of trouble, whoever owns what is in trouble."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True)
    enabled = models.BooleanField(default=True)
    kinds = ArrayField(models.CharField(max_length=20))
    definitions = models.CharField(max_length=500, default="*", help_text="Names of actions and workflows.")
    queues = models.CharField(max_length=500, default="*")
    after_seconds = models.PositiveIntegerField(default=900)
    email = ArrayField(models.CharField(max_length=254), default=list, blank=True)
    webhook = models.CharField(max_length=500, blank=True)
    connection = models.ForeignKey(Connection, models.PROTECT, null=True, blank=True, related_name="notification_rules")
    group_seconds = models.PositiveIntegerField(default=600)
    muted_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "notification_rule"
        ordering = ["name"]
        default_permissions = ["add", "change", "view"]
        constraints = [
            models.CheckConstraint(condition=Q(webhook="") | Q(connection__isnull=False), name="notification_signed"),
        ]

    def __str__(self) -> str:
        return self.name


class NotificationMute(models.Model):
    """Tell nobody about a definition, or about one run, until a moment."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    definition = models.CharField(max_length=120, blank=True)
    run = models.UUIDField(null=True)
    until = models.DateTimeField()
    by = models.CharField(max_length=200)
    reason = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "notification_mute"
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=(Q(run__isnull=True) & ~Q(definition="")) | Q(run__isnull=False, definition=""),
                name="notification_mute_one",
            ),
            models.UniqueConstraint(
                fields=["definition"], name="notification_mute_definition", condition=Q(run__isnull=True)
            ),
            models.UniqueConstraint(fields=["run"], name="notification_mute_run", condition=Q(run__isnull=False)),
        ]


class Notice(models.Model):
    """Something to tell: the outbox. A trigger writes those of failed runs, in the transaction that parks the run.

    `source` names the rule or definition whose threshold was passed, empty when it concerns all. `episode` tells one
    failure, or wait, of a run from the next; conditions that belong to no run have one open notice until `ended_at`.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=20)
    source = models.CharField(max_length=60, blank=True)
    definition = models.CharField(max_length=120, blank=True)
    queue = models.CharField(max_length=63, blank=True)
    run = models.UUIDField(null=True)
    episode = models.CharField(max_length=60, blank=True)
    data = models.JSONField(default=dict)
    state = models.CharField(max_length=4, default="new")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "notice"
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(NOTICE_STATES)), name="notice_state"),
            models.UniqueConstraint(
                fields=["run", "kind", "source", "episode"], name="notice_once", condition=Q(run__isnull=False)
            ),
            models.UniqueConstraint(
                fields=["kind", "source", "definition", "queue"],
                name="notice_open_once",
                condition=Q(run__isnull=True, ended_at__isnull=True) & ~Q(source=""),
            ),
        ]
        indexes = [
            # what nobody has looked at yet
            models.Index(fields=["id"], name="notice_new", condition=Q(state="new")),
        ]


class Notification(models.Model):
    """A message to one recipient about everything of one kind and definition that came together.

    Its id is the id of the message, the same for all attempts. What it says is written at the first attempt.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule = models.ForeignKey(NotificationRule, models.SET_NULL, null=True, related_name="notifications")
    channel = models.CharField(max_length=7, help_text="email or webhook.")
    address = models.CharField(max_length=500)
    connection = models.CharField(max_length=63, blank=True, help_text="Holds the secret that signs it.")
    kind = models.CharField(max_length=20)
    definition = models.CharField(max_length=120, blank=True)
    because = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=7, default="waiting")
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    claim = models.BigIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True)
    content = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "notification"
        default_permissions = ["view"]
        permissions = [("mute_notification", "Can mute notifications and send them again")]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(NOTIFICATION_STATES)), name="notification_state"),
            models.CheckConstraint(condition=Q(channel__in=["email", "webhook"]), name="notification_channel"),
        ]
        indexes = [
            # what is to be sent
            models.Index(fields=["due_at"], name="notification_due", condition=Q(state="waiting")),
            # where a message of the same kind went last
            models.Index(
                F("channel"), F("address"), F("kind"), F("definition"), F("id").desc(), name="notification_like"
            ),
            # the list, filtered by state
            models.Index(fields=["state", "-id"], name="notification_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"  # an address may be a secret


class NotificationItem(models.Model):
    """What a message tells of. A recipient is told of a notice once, whoever names him."""

    id = models.BigAutoField(primary_key=True)
    notification = models.ForeignKey(Notification, models.CASCADE, related_name="items")
    notice = models.ForeignKey(Notice, models.CASCADE, related_name="items", db_index=False)
    recipient = models.CharField(max_length=520)

    class Meta:
        db_table = "notification_item"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["notice", "recipient"], name="notification_item_once")]
