"""Indexes of the run list and of the search: how titles and keys begin, a name with a state, a queue, an event id."""

from django.contrib.postgres.indexes import OpClass
from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Upper

from dotdo_site.lib.concurrent_indexes import BuildIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("workflows", "0024_page_indexes")]
    operations = [
        BuildIndexConcurrently(
            "run",
            models.Index(OpClass(Upper("title"), name="text_pattern_ops"), name="run_by_title", condition=~Q(title="")),
        ),
        BuildIndexConcurrently(
            "run",
            models.Index(OpClass(F("key"), name="text_pattern_ops"), name="run_by_key_prefix", condition=~Q(key="")),
        ),
        BuildIndexConcurrently(
            "run",
            models.Index(
                fields=["state", "-id"], name="run_by_state_reason", include=["reason", "resolved_at", "kind"]
            ),
        ),
        BuildIndexConcurrently(
            "run",
            models.Index(fields=["name", "state", "-id"], name="run_by_name_state", include=["reason", "resolved_at"]),
        ),
        BuildIndexConcurrently(
            "run", models.Index(fields=["queue", "-id"], name="run_by_queue", condition=~Q(queue="default"))
        ),
        BuildIndexConcurrently(
            "entry", models.Index(OpClass(F("key"), name="text_pattern_ops"), name="entry_by_key_prefix")
        ),
        BuildIndexConcurrently("event", models.Index(fields=["event_id"], name="event_by_event_id")),
        BuildIndexConcurrently("run", models.Index(fields=["-id"], name="run_by_kind", condition=Q(kind="action"))),
        BuildIndexConcurrently(
            "run",
            models.Index(
                fields=["reason", "-id"],
                name="run_by_rare_reason",
                condition=Q(reason__in=["poisoned", "quarantined", "undo_failed", "undone", "undoing", "blocked"]),
            ),
        ),
        RemoveIndexConcurrently("run", "run_by_key"),
        RemoveIndexConcurrently("run", "run_by_state"),
    ]
