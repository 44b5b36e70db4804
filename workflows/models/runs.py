"""Runs and what they are made of.

People write them through `operations`. Workers write their own step and branch through `claim`, `checkpoint` and
`closing`, and what that means for others through `settling`, `cutting`, `superseding` and `wake`. Edges read `queries`.
What a row may be and become is checked by functions of the database (migration 0029): the server reads CHECK
constraints and WHEN clauses anew with each statement, and these tables have several written with each step.
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Upper

from actions.models import ActionVersion
from dotdo_site.lib.ids import uuid7
from workflows import states
from workflows.models.definitions import WorkflowVersion

# A run that no other run started, and that asks nobody for anything: it has ended, was marked as resolved, or failed
# and was undone.
OVER = Q(parent_step__isnull=True) & (
    Q(finished_at__isnull=False) | Q(resolved_at__isnull=False) | Q(state="failed", reason="undone")
)
RARE_REASONS = ["poisoned", "quarantined", "undo_failed", "undone", "undoing", "blocked"]


class Run(models.Model):
    """One durable execution of a workflow, or of a single action."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=8)
    # No constraint in the database: a trigger lets nobody delete a published version, and with a constraint all workers
    # would lock the same row of a version with each start and each step.
    workflow_version = models.ForeignKey(
        WorkflowVersion, models.PROTECT, null=True, related_name="runs", db_constraint=False
    )
    action_version = models.ForeignKey(
        ActionVersion, models.PROTECT, null=True, related_name="runs", db_constraint=False
    )
    name = models.CharField(max_length=63)
    state = models.CharField(max_length=9, default="pending")
    reason = models.CharField(max_length=20, blank=True)
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    context = models.JSONField(default=dict)
    mail_seq = models.BigIntegerField(default=0)
    title = models.CharField(max_length=200, blank=True)
    key = models.CharField(max_length=255, blank=True)
    tags = ArrayField(models.CharField(max_length=100), default=list)
    trigger = models.CharField(max_length=20)
    actor = models.CharField(max_length=200)
    parent_step = models.UUIDField(null=True, help_text="The step of the run that started this one.")
    parent_index = models.IntegerField(default=0, help_text="Which of the children of that step.")
    root = models.UUIDField(null=True)
    depth = models.SmallIntegerField(default=0, help_text="How many runs are above this one.")
    rerun_of = models.UUIDField(null=True)
    queue = models.CharField(max_length=63, default="default")
    priority = models.SmallIntegerField(default=2)
    deadline_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True, help_text="Since when it is failed or suspended: deadlines pause.")

    class Meta:
        db_table = "run"
        default_permissions = ["view"]
        permissions = [
            ("start_run", "Can start actions and workflows"),
            ("retry_run", "Can retry failed runs"),
            ("cancel_run", "Can cancel runs"),
            ("suspend_run", "Can suspend and resume runs"),
            ("skip_step", "Can skip steps"),
            ("fire_timer", "Can end waits early"),
            ("undo_run", "Can undo runs"),
            ("answer_approval", "Can answer approvals"),
            ("view_payload", "Can see sensitive fields"),
            ("erase_run", "Can erase finished runs"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["parent_step", "parent_index"], name="run_child_once", condition=Q(parent_step__isnull=False)
            ),
        ]
        indexes = [
            # the run list, filtered by state or by name; ids grow with time; what is included answers the counts
            models.Index(
                fields=["state", "-id"], name="run_by_state_reason", include=["reason", "resolved_at", "kind"]
            ),
            models.Index(fields=["name", "-id"], name="run_by_name"),
            # the run list, filtered by name and state: also what counts them
            models.Index(fields=["name", "state", "-id"], name="run_by_name_state", include=["reason", "resolved_at"]),
            # the run list, filtered by kind: actions alone are few
            models.Index(fields=["-id"], name="run_by_kind", condition=Q(kind="action")),
            # search by how a business key or a title begins
            models.Index(OpClass(F("key"), name="text_pattern_ops"), name="run_by_key_prefix", condition=~Q(key="")),
            models.Index(OpClass(Upper("title"), name="text_pattern_ops"), name="run_by_title", condition=~Q(title="")),
            # the run list, filtered by a queue of few
            models.Index(fields=["queue", "-id"], name="run_by_queue", condition=~Q(queue="default")),
            GinIndex(fields=["tags"], name="run_by_tag"),
            # the children of a step that have not ended, those that failed apart
            models.Index(
                fields=["parent_step", "state"],
                name="run_open_child",
                condition=Q(parent_step__isnull=False) & ~Q(state__in=states.RUN_FINAL),
            ),
            # whether a map has lost a child
            models.Index(
                fields=["parent_step"],
                name="run_cancelled_child",
                condition=Q(parent_step__isnull=False, state="cancelled"),
            ),
            # what retention may delete, the oldest of a definition first
            models.Index(
                F("kind"),
                F("name"),
                Coalesce("finished_at", "resolved_at", "stopped_at"),
                F("id"),
                name="run_over",
                condition=OVER,
            ),
            # all that a run has started, however deep
            models.Index(fields=["root"], name="run_by_root", condition=Q(root__isnull=False)),
            # the run list, filtered by what is seldom
            models.Index(fields=["reason", "-id"], name="run_by_rare_reason", condition=Q(reason__in=RARE_REASONS)),
            # what a run was run again as
            models.Index(fields=["rerun_of"], name="run_by_rerun", condition=Q(rerun_of__isnull=False)),
            # what failed and waits for a person
            models.Index(
                fields=["-id"],
                name="run_unresolved",
                condition=Q(state="failed", resolved_at__isnull=True) & ~Q(reason="undone"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.id}"


class Branch(models.Model):
    """A line of execution with a cursor of its own. Every run has a root branch, and each branch of a fork has one.

    `rest` says what an open branch waits for, "" while it is busy; `open` counts the branches of its fork that have
    not ended; `frame` is the fork's key and the branch's number, `join_step` the step that goes on behind the fork.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, models.CASCADE, related_name="branches")
    parent = models.ForeignKey("self", models.CASCADE, null=True)
    frame = models.CharField(max_length=1000, blank=True)
    index = models.SmallIntegerField(default=0)
    join_step = models.UUIDField(null=True)
    rest = models.CharField(max_length=20, blank=True)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    closed_at = models.DateTimeField(null=True)
    revision = models.BigIntegerField(default=0)
    state = models.CharField(max_length=9, default="open")
    cursor = models.JSONField(default=dict)
    open = models.IntegerField(default=0)
    audit_seq = models.IntegerField(default=0)
    audit_head = models.BinaryField(max_length=32)

    class Meta:
        db_table = "branch"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["run", "parent", "frame"], name="branch_once", nulls_distinct=False),
        ]
        indexes = [
            # what no worker can go on with
            models.Index(fields=["id"], name="branch_blocked", condition=Q(state="open", rest="blocked")),
        ]


class Step(models.Model):
    """A leaf of the workflow that touches the outside. A due step is the message that a worker picks up."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # step_once begins with it; the branch's own constraint keeps the run, and a trigger keeps the branch
    run = models.ForeignKey(Run, models.CASCADE, related_name="steps", db_index=False, db_constraint=False)
    branch = models.ForeignKey(Branch, models.CASCADE, related_name="steps", db_index=False, db_constraint=False)
    key = models.CharField(max_length=1000)
    ref = models.CharField(max_length=500)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=6)
    function = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=9, default="ready")
    due_at = models.DateTimeField()
    attempt = models.IntegerField(default=0, help_text="Attempts that have ended.")
    failures = models.IntegerField(default=0, help_text="Failed attempts since the last retry by a person.")
    claim = models.BigIntegerField(default=0, help_text="The fencing token.")
    crashes = models.IntegerField(default=0)
    generation = models.IntegerField(default=0, help_text="Part of the effect key.")
    wake = models.BigIntegerField(default=0)
    leased_by = models.UUIDField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    action_version = models.ForeignKey(ActionVersion, models.PROTECT, null=True, db_index=False, db_constraint=False)
    queue = models.CharField(max_length=63, default="default")
    priority = models.SmallIntegerField(default=2)
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    caught = models.BooleanField(default=False, help_text="Failed, and the workflow went on: nobody has to repair it.")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, help_text="When the latest attempt began.")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "step"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["run", "key"], name="step_once"),
        ]
        indexes = [
            # the claim
            models.Index(fields=["queue", "priority", "due_at"], name="step_due", condition=Q(state="ready")),
            # the reaper of abandoned leases
            models.Index(fields=["lease_expires_at"], name="step_leased", condition=Q(state="running")),
            # what waits for a person
            models.Index(
                fields=["id"],
                name="step_open_approval",
                condition=Q(function="approval:1.0.0", state__in=["ready", "running", "waiting", "held"]),
            ),
            # what is left to do in a branch; a step that succeeds leaves it without another entry
            models.Index(fields=["branch"], name="step_open_by_branch", condition=Q(state__in=states.STEP_OPEN)),
            # what has been waiting for an event too long
            models.Index(
                fields=["id"], name="step_open_listen", condition=Q(kind="listen", state__in=["ready", "waiting"])
            ),
            # where an action was used last; what runs at the moment is found by step_leased
            models.Index(
                fields=["action_version", "-id"],
                name="step_idle_by_action",
                condition=Q(action_version__isnull=False) & ~Q(state="running"),
            ),
        ]


class Attempt(models.Model):
    """An attempt that failed, crashed or logged something; a quiet first success is described by its step."""

    id = models.BigAutoField(primary_key=True)
    step = models.ForeignKey(Step, models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=10)
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    log = models.JSONField(default=list)
    worker = models.UUIDField(null=True)
    code_version = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField()

    class Meta:
        db_table = "attempt"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["step", "number"], name="attempt_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=["succeeded", "failed", "timed_out", "crashed", "superseded"]),
                name="attempt_outcome",
            ),
            models.CheckConstraint(
                condition=Q(started_at__isnull=True) | Q(finished_at__gte=F("started_at")), name="attempt_times"
            ),
        ]


class Payload(models.Model):
    """A value over 4 kB, stored once per run; steps, cursors and attempts refer to it as `{"$payload": digest}`."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, models.CASCADE, related_name="payloads", db_index=False)
    digest = models.CharField(max_length=64)
    value = models.JSONField()

    class Meta:
        db_table = "payload"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["run", "digest"], name="payload_once")]


class IdempotencyKey(models.Model):
    """One run per (definition, key), for as long as the run is kept."""

    id = models.BigAutoField(primary_key=True)
    definition = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    run = models.ForeignKey(Run, models.CASCADE, related_name="idempotency_keys")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "idempotency_key"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["definition", "key"], name="idempotency_key_once")]
