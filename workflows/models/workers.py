"""Who is working: one row per start of a worker process."""

from django.db import models

from dotdo_site.lib.ids import uuid7


class Worker(models.Model):
    """A worker process. `id` is new at each start, so a reused pid or host name never inherits a lease."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    place = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text="The boot of the machine and the pid namespace in which the pid is valid.",
    )
    born = models.BigIntegerField(
        default=0, db_default=0, help_text="When the process started, in the kernel's ticks since the boot."
    )
    code_version = models.CharField(max_length=64)
    queues = models.JSONField(default=list)
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)
    draining_at = models.DateTimeField(null=True, help_text="Since when it takes no further step.")
    draining_by = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        db_table = "worker"
        default_permissions = ["view"]
        permissions = [("drain_worker", "Can drain workers")]

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"
