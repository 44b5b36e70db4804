"""What can be done: actions, their versions, and the connections (secrets) that handlers use."""

from django.core.validators import RegexValidator
from django.db import models

from dotdo_site.lib.ids import uuid7

NAME = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
SEMVER = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$"


class Action(models.Model):
    """One thing that can be done, completely or not at all. What it does is in its versions."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=63, unique=True, validators=[RegexValidator(NAME)])
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    keep_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="How long finished runs are kept. Empty: as long as DOTDO_RETENTION_DAYS says."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "action"
        ordering = ["name"]
        permissions = [("publish_action", "Can publish action versions")]

    def __str__(self) -> str:
        return self.name


class ActionVersion(models.Model):
    """A contract and a handler. Published versions never change (a trigger refuses it); drafts may."""

    class State(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        DEPRECATED = "deprecated"

    class Effect(models.TextChoices):
        """What repeating the call does outside: nothing, nothing for one idempotency key, or harm."""

        PURE = "pure"
        KEYED = "keyed"
        UNSAFE = "unsafe"

    class OnCrash(models.TextChoices):
        """What happens to a step whose worker died while the handler ran."""

        RETRY = "retry"
        PARK = "park"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    action = models.ForeignKey(Action, models.PROTECT, related_name="versions")
    version = models.CharField(max_length=40, validators=[RegexValidator(SEMVER)])
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    kind = models.CharField(max_length=20)
    config = models.JSONField(default=dict)
    input_schema = models.JSONField(default=dict)
    output_schema = models.JSONField(default=dict)
    retry = models.JSONField(default=dict)
    timeout_ms = models.PositiveIntegerField(default=30_000)
    effect = models.CharField(max_length=10, choices=Effect, default=Effect.KEYED)
    transactional = models.BooleanField(default=False)
    on_crash = models.CharField(max_length=10, choices=OnCrash, default=OnCrash.RETRY)
    queue = models.CharField(max_length=63, default="default")
    undo = models.CharField(max_length=63, blank=True, help_text="The action that undoes this one.")
    notify = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="Who is told when its runs need a person."
    )
    digest = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "action_version"
        ordering = ["action", "-published_at"]
        constraints = [
            models.UniqueConstraint(fields=["action", "version"], name="action_version_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["draft", "published", "deprecated"]), name="action_version_state"
            ),
            models.CheckConstraint(
                condition=models.Q(state="draft") | models.Q(published_at__isnull=False),
                name="action_version_published_at",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action.name}:{self.version}"


class Connection(models.Model):
    """A named secret with the hosts it may be sent to. The secret is write-only and encrypted (see `secrets.py`)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=63, unique=True, validators=[RegexValidator(NAME)])
    description = models.TextField(blank=True)
    allowed_hosts = models.JSONField(default=list)
    ciphertext = models.TextField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    rotated_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        db_table = "connection"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
