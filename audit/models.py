"""What happened. Rows are only ever inserted: triggers refuse UPDATE, DELETE and TRUNCATE, for every role.

Only the function `audit_prune` deletes links: whole sealed chains of what is gone, and it leaves a tombstone for each.
"""

from django.db import models

from dotdo_site.lib.ids import uuid7

PERSON = "user:"  # how the names of people begin among actors
# Kinds that every run has.
FREQUENT = (
    "branch.closed",
    "branch.opened",
    "connection.used",
    "event.received",
    "run.started",
    "run.succeeded",
    "run.waiting",
    "step.retrying",
    "step.succeeded",
)


class AuditEvent(models.Model):
    """One link of a hash chain. `chain` is a branch of a run, or the id of the object that changed."""

    id = models.BigAutoField(primary_key=True)
    chain = models.UUIDField()
    seq = models.IntegerField()
    run = models.UUIDField(null=True)
    kind = models.CharField(max_length=60)
    actor = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    at = models.DateTimeField()
    data = models.TextField(help_text="Canonical JSON: text, because the hash covers its bytes.")
    hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_event"
        permissions = [("export_audit", "Can export the audit trail")]
        default_permissions = ["view"]
        constraints = [models.UniqueConstraint(fields=["chain", "seq"], name="audit_event_link_once")]
        indexes = [
            # read by the run page and by erasure
            models.Index(fields=["run", "id"], name="audit_event_run", condition=models.Q(run__isnull=False)),
            # the oldest chains, for pruning; where in the ids a moment is, for the search
            models.Index(fields=["at", "id"], name="audit_event_first", condition=models.Q(seq=0)),
            # the search; the steps of runs are in none of these, so that recording them costs nothing more
            models.Index(fields=["kind", "id"], name="audit_event_seldom", condition=~models.Q(kind__in=FREQUENT)),
            models.Index(
                fields=["actor", "id"], name="audit_event_person", condition=models.Q(actor__startswith=PERSON)
            ),
            models.Index(fields=["id"], name="audit_event_reasoned", condition=~models.Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.seq}"


class Seal(models.Model):
    """The root over the heads of all chains that changed since the seal before it, numbered from 0 without gaps."""

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    count = models.PositiveIntegerField(help_text="Heads under the root.")
    root = models.BinaryField(max_length=32)
    reach = models.BigIntegerField(help_text="The largest id of an event that it looked at.")
    horizon = models.BigIntegerField(help_text="Every event up to this id is under this seal or one before it.")
    previous = models.BinaryField(max_length=32, help_text="The hash of the seal before it.")
    hash = models.BinaryField(max_length=32)
    key = models.CharField(max_length=44, blank=True, help_text="The public key; empty: not signed.")
    signature = models.BinaryField(max_length=64, blank=True)

    class Meta:
        db_table = "audit_seal"
        default_permissions = []

    def __str__(self) -> str:
        return f"seal {self.number}"


class SealedHead(models.Model):
    """A leaf of a seal: the last link that a chain had then."""

    pk = models.CompositePrimaryKey("chain", "seq")
    chain = models.UUIDField()
    seq = models.PositiveIntegerField()
    hash = models.BinaryField(max_length=32)
    seal = models.ForeignKey(Seal, on_delete=models.PROTECT, db_index=False)

    class Meta:
        db_table = "audit_sealed_head"
        default_permissions = []
        indexes = [models.Index(fields=["seal", "chain"], name="audit_sealed_head_order")]  # read to compute the root


class Tombstone(models.Model):
    """What is left of a chain that was pruned."""

    chain = models.UUIDField(primary_key=True)
    seq = models.PositiveIntegerField(help_text="The number of its last link.")
    hash = models.BinaryField(max_length=32)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    at = models.DateTimeField()
    batch = models.UUIDField(db_index=True, help_text="The event audit.pruned names it, with the root of its chains.")
    export = models.CharField(max_length=200, blank=True, help_text="Where the links were kept, such as a digest.")

    class Meta:
        db_table = "audit_tombstone"
        default_permissions = []
        indexes = [
            models.Index(fields=["batch", "chain"], name="audit_tombstone_pruning"),  # read to compute the root
            models.Index(fields=["-at", "chain"], name="audit_tombstone_newest"),  # read by the admin
        ]

    def __str__(self) -> str:
        return f"chain {self.chain}, pruned"


class Anchor(models.Model):
    """How far the seals were written to one place outside the database, and what stands in the way."""

    target = models.CharField(max_length=300, primary_key=True)
    upto = models.BigIntegerField(help_text="The number of the last seal that is there; -1: none.")
    tried_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    error = models.TextField(blank=True)

    class Meta:
        db_table = "audit_anchor"
        default_permissions = []

    def __str__(self) -> str:
        return self.target


class Verification(models.Model):
    """A verification of the whole trail that somebody asked for: its state, and what was found."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        INTACT = "intact"
        BROKEN = "broken"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    asked_by = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True, help_text="When whoever does it gave the last sign.")
    ended_at = models.DateTimeField(null=True)
    events = models.BigIntegerField(default=0)
    chains = models.BigIntegerField(default=0)
    seals = models.BigIntegerField(default=0)
    found = models.PositiveIntegerField(default=0, help_text="How much does not fit.")
    findings = models.JSONField(default=list, help_text="The first of them, in words.")
    note = models.TextField(blank=True, help_text="What it was compared with, or why it failed.")

    class Meta:
        db_table = "audit_verification"
        default_permissions = []
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["waiting", "running", "intact", "broken", "failed"]),
                name="audit_verification_state",
            ),
        ]

    def __str__(self) -> str:
        return f"verification of {self.asked_at:%Y-%m-%d %H:%M} UTC"
