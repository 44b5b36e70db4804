"""Indexes for the search in the trail; built beside the traffic. None of them has the events that every run writes."""

from django.db import migrations, models
from django.db.models import Q

from dotdo_site.lib.concurrent_indexes import BuildIndexConcurrently

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


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0007_verifications")]
    operations = [
        BuildIndexConcurrently(
            "auditevent",
            models.Index(fields=["kind", "id"], name="audit_event_seldom", condition=~Q(kind__in=FREQUENT)),
        ),
        BuildIndexConcurrently(
            "auditevent",
            models.Index(fields=["actor", "id"], name="audit_event_person", condition=Q(actor__startswith="user:")),
        ),
        BuildIndexConcurrently(
            "auditevent", models.Index(fields=["id"], name="audit_event_reasoned", condition=~Q(reason=""))
        ),
    ]
