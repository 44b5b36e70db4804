"""Workflows and their versions. A published version never changes; runs are pinned to the version they started on."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from actions.models import NAME, SEMVER
from dotdo_site.lib.ids import uuid7


class Workflow(models.Model):
    """A name under which versions are published."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=63, unique=True, validators=[RegexValidator(NAME)])
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    keep_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="How long finished runs are kept. Empty: as long as DOTDO_RETENTION_DAYS says."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "workflow"
        ordering = ["name"]
        permissions = [("publish_workflow", "Can publish workflow versions")]

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(models.Model):
    """A document, its source as written, and the action versions that it is locked to."""

    class State(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        DEPRECATED = "deprecated"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workflow = models.ForeignKey(Workflow, models.PROTECT, related_name="versions")
    version = models.CharField(max_length=40, validators=[RegexValidator(SEMVER)])
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    source = models.TextField()
    document = models.JSONField(default=dict)
    lock = models.JSONField(default=dict)
    input_schema = models.JSONField(default=dict)
    digest = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "workflow_version"
        ordering = ["workflow", "-published_at"]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "version"], name="workflow_version_once"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "published", "deprecated"]), name="workflow_version_state"
            ),
            models.CheckConstraint(
                condition=Q(state="draft") | Q(published_at__isnull=False), name="workflow_version_published_at"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow.name}:{self.version}"
