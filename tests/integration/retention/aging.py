"""Make runs old, read what was written of them, and look for what is left."""

import gzip
import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from django.apps import apps
from django.db import connection

from dotdo_site import embedded_postgres
from tests.conftest import VAR
from tests.support.engine import begin, start_action, work_until_idle
from workflows.models import Run

AGE = timedelta(days=40)
# What mentions a run and stays: the trail. The rest of a row's text is looked at where a test asks for a value.
KEPT = {"audit_event", "audit_sealed_head", "audit_tombstone"}


def behind_the_back(text: str, values: dict[str, Any]) -> None:
    """Run a statement that no trigger and no key looks at: final rows do not change."""
    with psycopg.connect(embedded_postgres.superuser_url(VAR), dbname="dotdo", autocommit=True) as there:
        there.execute("SET session_replication_role = replica")
        there.execute(text, values)


def aged(*runs: uuid.UUID, age: timedelta = AGE) -> None:
    """Let runs have ended so much earlier."""
    behind_the_back(
        "UPDATE run SET finished_at = finished_at - %(age)s, resolved_at = resolved_at - %(age)s, "
        "stopped_at = stopped_at - %(age)s WHERE id = ANY(%(runs)s)",
        {"age": age, "runs": list(runs)},
    )


def family(run: uuid.UUID) -> list[uuid.UUID]:
    return [run, *Run.objects.filter(root=run).order_by("id").values_list("pk", flat=True)]


def old_action(value: Any = 1, **options: Any) -> uuid.UUID:
    """Return an action's run that succeeded 40 days ago."""
    run = start_action("test-echo", {"value": value}, **options)
    work_until_idle()
    aged(run)
    return run


def old_workflow(body: str, value: Any = None) -> uuid.UUID:
    """Return a workflow's run that ended 40 days ago, with the runs that it started."""
    run = begin(body, value)
    work_until_idle()
    aged(*family(run))
    return run


def there(*runs: uuid.UUID) -> set[uuid.UUID]:
    return set(Run.objects.filter(pk__in=runs).values_list("pk", flat=True))


def written(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of all files, in the order of the runs."""
    texts = [gzip.decompress(file.read_bytes()).decode() for file in folder.rglob("*.ndjson.gz")]
    found = [json.loads(line) for text in texts for line in text.splitlines()]
    return sorted(found, key=lambda line: str(line["run"]["id"]))


def mentions(*values: object) -> dict[str, int]:
    """Count the rows of each table that hold one of these texts anywhere, but for the audit trail."""
    found = {}
    with connection.cursor() as cursor:
        for table in {model._meta.db_table for model in apps.get_models()} - KEPT:
            wanted = " OR ".join("strpos(t::text, %s) > 0" for _ in values)
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE {wanted}', [str(value) for value in values])
            if count := cursor.fetchone()[0]:
                found[table] = count
    return found
