"""What all benchmarks share: the definitions, the real cluster, and the database's own counters."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
import psycopg

STEPS = 10
ACTIONS = ("bench-noop", "bench-noop-outside", "bench-noop-transactional")
# What runs leave behind; definitions stay.
OF_RUNS = ("run", "step", "audit_event", "audit_anchor", "audit_seal", "audit_sealed_head", "audit_tombstone")
ROOT = Path(__file__).resolve().parent.parent
WORKFLOW = """
document: {{dsl: 1.0.3, namespace: bench, name: {name}, version: 1.0.0}}
do:
{steps}
"""


def prepare() -> None:
    """Load Django and publish the benchmark's actions and workflows."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dotdo_site.settings")
    os.environ["DOTDO_ACTION_MODULES"] = "bench.actions"
    django.setup()
    from actions import registry, sync
    from workflows import operations

    registry.discover()
    sync.sync(registry.specs(), actor="system")
    for name in ACTIONS:
        lines = "\n".join(f'  - s{n}: {{call: {name}, with: {{n: "${{ .n }}"}}}}' for n in range(STEPS))
        text = WORKFLOW.format(name=f"{name}-chain", steps=lines)
        draft = operations.draft_workflow(text, actor="system")
        if draft.state == "draft":
            operations.publish_workflow(draft.id, actor="system")


@contextmanager
def cluster(workers: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the real cluster, as `make up` does."""
    environment = os.environ | {"DOTDO_WORKERS": str(workers), "DOTDO_LOG_LEVEL": "WARNING"}
    process = subprocess.Popen([sys.executable, str(ROOT / "manage.py"), "cluster"], env=environment, cwd=ROOT)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@contextmanager
def clusters(count: int, workers: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Run several clusters, each with so many workers, as several machines on one database do."""
    with ExitStack() as running:
        yield [running.enter_context(cluster(workers)) for _ in range(count)]


def superuser() -> "psycopg.Connection[tuple[object, ...]]":
    """Connect as the superuser of the benchmark's server."""
    from django.conf import settings

    from dotdo_site import embedded_postgres

    return psycopg.connect(embedded_postgres.superuser_url(settings.VAR_DIR), dbname="dotdo", autocommit=True)


def empty(server: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Delete all runs with everything that belongs to them."""
    with server.transaction():
        server.execute("SET LOCAL session_replication_role = replica")  # the trail refuses to be emptied
        server.execute(f"TRUNCATE {', '.join(OF_RUNS)} CASCADE")
    server.execute("CHECKPOINT")


@dataclass(frozen=True)
class Counters:
    """The server's totals: write transactions (each takes an id), WAL bytes, and WAL syncs."""

    transactions: int
    wal_bytes: int
    syncs: int

    def __sub__(self, other: "Counters") -> "Counters":
        return Counters(
            self.transactions - other.transactions, self.wal_bytes - other.wal_bytes, self.syncs - other.syncs
        )


def counters(connection: "psycopg.Connection[tuple[object, ...]]") -> Counters:
    """Read the server's totals. Taking the next transaction id costs one itself."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    row = connection.execute(
        """
        SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, pg_current_wal_lsn() - '0/0'::pg_lsn,
            (SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal')
        """
    ).fetchone()
    assert row is not None
    return Counters(*(int(str(value)) for value in row))


def until(check: str, seconds: float = 300, every: float = 0.02) -> None:
    """Wait until a query answers true."""
    from django.db import connection

    end = time.monotonic() + seconds
    with connection.cursor() as cursor:
        while time.monotonic() < end:
            cursor.execute(check)
            if cursor.fetchone()[0]:
                return
            time.sleep(every)
    raise TimeoutError(f"still false after {seconds} s: {check}")


def percentile(values: list[float], share: float) -> float:
    """Return the value below which this share of the sorted values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
