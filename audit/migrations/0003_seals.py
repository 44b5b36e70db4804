"""Seals, the heads under them, what is left of pruned chains, and anchors."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0002_append_only"),
    ]

    operations = [
        migrations.CreateModel(
            name="Anchor",
            fields=[
                ("target", models.CharField(max_length=300, primary_key=True, serialize=False)),
                ("upto", models.BigIntegerField(help_text="The number of the last seal that is there; -1: none.")),
                ("tried_at", models.DateTimeField(null=True)),
                ("failures", models.PositiveIntegerField(default=0, help_text="In a row.")),
                ("error", models.TextField(blank=True)),
            ],
            options={
                "db_table": "audit_anchor",
                "default_permissions": [],
            },
        ),
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("count", models.PositiveIntegerField(help_text="Heads under the root.")),
                ("root", models.BinaryField(max_length=32)),
                ("reach", models.BigIntegerField(help_text="The largest id of an event that it looked at.")),
                (
                    "horizon",
                    models.BigIntegerField(help_text="Every event up to this id is under this seal or one before it."),
                ),
                ("previous", models.BinaryField(help_text="The hash of the seal before it.", max_length=32)),
                ("hash", models.BinaryField(max_length=32)),
                ("key", models.CharField(blank=True, help_text="The public key; empty: not signed.", max_length=44)),
                ("signature", models.BinaryField(blank=True, max_length=64)),
            ],
            options={
                "db_table": "audit_seal",
                "default_permissions": [],
            },
        ),
        migrations.CreateModel(
            name="Tombstone",
            fields=[
                ("chain", models.UUIDField(primary_key=True, serialize=False)),
                ("seq", models.PositiveIntegerField(help_text="The number of its last link.")),
                ("hash", models.BinaryField(max_length=32)),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("at", models.DateTimeField()),
                (
                    "batch",
                    models.UUIDField(
                        db_index=True, help_text="The event audit.pruned names it, with the root of its chains."
                    ),
                ),
                (
                    "export",
                    models.CharField(
                        blank=True, help_text="Where the links were kept, such as a digest.", max_length=200
                    ),
                ),
            ],
            options={
                "db_table": "audit_tombstone",
                "default_permissions": [],
            },
        ),
        migrations.CreateModel(
            name="SealedHead",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "chain", "seq", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("chain", models.UUIDField()),
                ("seq", models.PositiveIntegerField()),
                ("hash", models.BinaryField(max_length=32)),
                (
                    "seal",
                    models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to="audit.seal"),
                ),
            ],
            options={
                "db_table": "audit_sealed_head",
                "default_permissions": [],
                "indexes": [models.Index(fields=["seal", "chain"], name="audit_sealed_head_order")],
            },
        ),
    ]
