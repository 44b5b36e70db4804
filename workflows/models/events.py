"""Events from outside and between runs: the inbox, who listens, what waits for a run, and the doors for webhooks."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import MD5

from actions.models import NAME, Connection
from dotdo_site.lib.ids import uuid7
from workflows.models.definitions import Workflow
from workflows.models.runs import Run, Step


class Event(models.Model):
    """A CloudEvent as it came in; the same source and id are taken once. `run` is set when it is addressed to one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.CharField(max_length=500)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, blank=True)
    envelope = models.JSONField(help_text="The whole CloudEvent, data included.")
    run = models.ForeignKey(Run, models.CASCADE, null=True, related_name="events")
    via = models.CharField(max_length=20, help_text="api, webhook, endpoint, emit or person.")
    received_at = models.DateTimeField()

    class Meta:
        db_table = "event"
        default_permissions = ["view"]
        permissions = [("send_event", "Can send events")]
        constraints = [models.UniqueConstraint(fields=["source", "event_id"], name="event_once")]
        indexes = [
            # the inbox, filtered by type
            models.Index(fields=["type", "-id"], name="event_by_type"),
            # the search
            models.Index(fields=["event_id"], name="event_by_event_id"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class Subscription(models.Model):
    """One filter of a listening step, or of a schedule that starts runs. It only narrows the candidates down.

    `type` and `source` are empty when the filter does not fix them. `correlate_from` is the JSON list of the pinned
    correlation expressions and `correlate_hash` the digest of the values they must give; both empty when not pinned.
    """

    id = models.BigAutoField(primary_key=True)
    step = models.ForeignKey(Step, models.CASCADE, null=True, related_name="subscriptions")
    schedule = models.ForeignKey("Schedule", models.CASCADE, null=True, related_name="subscriptions")
    index = models.PositiveSmallIntegerField(default=0, help_text="Which filter of the strategy.")
    type = models.CharField(max_length=255, blank=True)
    source = models.CharField(max_length=500, blank=True)
    correlate_from = models.TextField(blank=True)
    correlate_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "subscription"
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(step__isnull=False, schedule__isnull=True) | Q(step__isnull=True, schedule__isnull=False),
                name="subscription_one_owner",
            ),
        ]
        indexes = [
            # candidates for an event
            models.Index(fields=["type", "correlate_hash"], name="subscription_by_type"),
            # which expressions have to be evaluated for an event; digests, because expressions can be too long to index
            models.Index(
                F("type"), MD5("correlate_from"), name="subscription_by_expression", condition=~Q(correlate_from="")
            ),
        ]


class Message(models.Model):
    """What was delivered to a run and waits to be applied: to one step, or, without a step, to whatever listens.

    A message for the run as a whole stays until a listen has taken it (ruling R31); `id` is the order of delivery.
    """

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, models.CASCADE, related_name="messages")
    step = models.ForeignKey(Step, models.CASCADE, null=True, related_name="messages", db_index=False)
    kind = models.CharField(max_length=10, help_text="event or answer.")
    event = models.ForeignKey(Event, models.CASCADE, null=True, related_name="messages")
    data = models.JSONField(null=True)
    created_at = models.DateTimeField()
    consumed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "message"
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(kind__in=["event", "answer"]), name="message_kind")]
        indexes = [
            # what a listening step still has to look at
            models.Index(fields=["step", "id"], name="message_of_step", condition=Q(consumed_at__isnull=True)),
            # the foreign key, when steps are deleted
            models.Index(fields=["step"], name="message_by_step", condition=Q(step__isnull=False)),
        ]


class Endpoint(models.Model):
    """A named, signed door for webhooks: what comes in starts a workflow or is delivered as an event."""

    class Style(models.TextChoices):
        STANDARD = "standard"
        GITHUB = "github", "GitHub"
        STRIPE = "stripe"

    class Effect(models.TextChoices):
        START = "start"
        EVENT = "event"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=63, unique=True, validators=[RegexValidator(NAME)])
    description = models.TextField(blank=True)
    style = models.CharField(max_length=10, choices=Style, default=Style.STANDARD)
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="endpoints")
    effect = models.CharField(max_length=10, choices=Effect, default=Effect.EVENT)
    workflow = models.ForeignKey(Workflow, models.PROTECT, null=True, blank=True, related_name="endpoints")
    event_type = models.CharField(max_length=255, blank=True, help_text="The type of the events that it delivers.")
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "endpoint"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(style__in=["standard", "github", "stripe"]), name="endpoint_style"),
            models.CheckConstraint(
                condition=Q(effect="start", workflow__isnull=False) | (Q(effect="event") & ~Q(event_type="")),
                name="endpoint_effect",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One request at an endpoint, whatever became of it. Bodies are kept in the event or the run, not here."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deliveries")
    message_id = models.CharField(max_length=255, blank=True)
    outcome = models.CharField(max_length=10, help_text="accepted, replayed or refused.")
    reason = models.CharField(max_length=200, blank=True)
    status = models.PositiveSmallIntegerField()
    bytes = models.PositiveIntegerField()
    run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="deliveries")
    event = models.ForeignKey(Event, models.SET_NULL, null=True, related_name="deliveries")
    received_at = models.DateTimeField()

    class Meta:
        db_table = "delivery"
        verbose_name_plural = "deliveries"
        default_permissions = ["view"]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "message_id"], name="delivery_once", condition=Q(outcome="accepted")
            ),
        ]
        indexes = [models.Index(F("endpoint"), F("id").desc(), name="delivery_by_endpoint")]
