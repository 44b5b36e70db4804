"""Counts kept by the cluster, from which charts are drawn."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workflows", "0018_indexes_of_trouble")]
    operations = [
        migrations.CreateModel(
            name="Rollup",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("subject", models.CharField(max_length=8)),
                ("name", models.CharField(blank=True, max_length=63)),
                (
                    "span",
                    models.PositiveIntegerField(help_text="How many seconds it is about: 5 minutes, an hour or a day."),
                ),
                ("begins_at", models.DateTimeField()),
                ("outcome", models.CharField(max_length=9)),
                ("count", models.BigIntegerField(default=0)),
                ("durations", ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
            ],
            options={
                "db_table": "rollup",
                "default_permissions": (),
                "indexes": [models.Index(fields=["span", "subject", "begins_at"], name="rollup_by_time")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("subject", "span", "name", "begins_at", "outcome"), name="rollup_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("subject__in", ("runs", "workflow", "action"))), name="rollup_subject"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("outcome__in", ("succeeded", "failed", "cancelled"))), name="rollup_outcome"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RollupPlace",
            fields=[
                ("id", models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("event", models.BigIntegerField(default=0)),
                ("counted_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "rollup_place",
                "default_permissions": (),
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="rollup_place_one_row")],
            },
        ),
        migrations.CreateModel(
            name="Gauge",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=20)),
                ("queue", models.CharField(blank=True, max_length=63)),
                ("span", models.PositiveIntegerField(help_text="How many seconds it is about: a minute or an hour.")),
                ("begins_at", models.DateTimeField()),
                ("samples", models.PositiveIntegerField(default=0)),
                ("total", models.FloatField(default=0, help_text="The sum of the samples.")),
                ("highest", models.FloatField(default=0)),
            ],
            options={
                "db_table": "gauge",
                "default_permissions": (),
                "indexes": [models.Index(fields=["span", "begins_at"], name="gauge_by_time")],
                "constraints": [
                    models.UniqueConstraint(fields=("span", "name", "queue", "begins_at"), name="gauge_once")
                ],
            },
        ),
    ]
