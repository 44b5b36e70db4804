"""Durable steps per second: a backlog of runs of ten sequential no-op steps, full audit, the cluster's real path."""

import re
import statistics
import time
from dataclasses import dataclass

import psycopg

from bench import harness

RUNS, SAMPLE, REPEATS = 300, 30, 3


@dataclass(frozen=True)
class Result:
    """Medians of the repeats."""

    steps_per_s: float
    commits_per_step: float
    statements_per_step: float
    wal_bytes_per_step: float
    syncs_per_step: float


def measure(workflow: str, workers: int = 2) -> Result:
    """Measure one workflow."""
    rates, costs = [], []
    with harness.superuser() as server, harness.cluster(workers):
        backlog(workflow, SAMPLE)  # everything is loaded and prepared before anything is timed
        for _ in range(REPEATS):
            before = harness.counters(server)
            rates.append(backlog(workflow, RUNS))
            costs.append(harness.counters(server) - before)
        statements = _statements(server, workflow)
    steps = RUNS * harness.STEPS
    return Result(
        steps_per_s=statistics.median(rates),
        commits_per_step=statistics.median(cost.transactions for cost in costs) / steps,
        statements_per_step=statements,
        wal_bytes_per_step=statistics.median(cost.wal_bytes for cost in costs) / steps,
        syncs_per_step=statistics.median(cost.syncs for cost in costs) / steps,
    )


def backlog(workflow: str, runs: int) -> float:
    """Start runs in one transaction, wait until all are done; return steps per second by the database's clock."""
    from django.db import connection, transaction

    from workflows import operations

    with transaction.atomic():
        ids = [
            operations.start_workflow(workflow, {"n": n}, actor="system", trigger="bench").run_id for n in range(runs)
        ]
    still = f"SELECT FROM run WHERE id >= '{min(ids)}' AND state NOT IN ('succeeded', 'failed')"
    harness.until(f"SELECT NOT EXISTS ({still})", every=0.1)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), extract(epoch FROM max(finished_at) - min(started_at))::float8 "
            "FROM step WHERE run_id = ANY(%s) AND state = 'succeeded'",
            [ids],
        )
        done, seconds = cursor.fetchone()
    if done != runs * harness.STEPS:
        raise RuntimeError(f"{done} of {runs * harness.STEPS} steps succeeded")
    return float(done / seconds)


def single_commits_per_s(seconds: float = 3.0) -> float:
    """Return the machine's own rate of single-row commits, one client: the physical yardstick."""
    with harness.superuser() as server:
        server.execute("CREATE TABLE IF NOT EXISTS bench_commit (id bigserial PRIMARY KEY, at timestamptz)")
        begun, count = time.monotonic(), 0
        while time.monotonic() - begun < seconds:
            server.execute("INSERT INTO bench_commit (at) VALUES (now())", prepare=True)
            count += 1
        server.execute("DROP TABLE bench_commit")
    return count / seconds


def _statements(server: "psycopg.Connection[tuple[object, ...]]", workflow: str) -> float:
    """Count what the workers send for a few runs, from the server's own log of statements."""
    from django.conf import settings

    from dotdo_site import embedded_postgres

    log = embedded_postgres.locate(settings.VAR_DIR).log
    server.execute("ALTER SYSTEM SET log_statement = 'all'")
    server.execute("SELECT pg_reload_conf()")
    time.sleep(0.5)
    position = log.stat().st_size
    backlog(workflow, SAMPLE)
    server.execute("ALTER SYSTEM RESET log_statement")
    server.execute("SELECT pg_reload_conf()")
    with log.open() as lines:
        lines.seek(position)
        text = lines.read()
    # What belongs to steps: the claim and everything with a checkpoint or its transaction; starts are the caller's.
    sent = re.findall(r" dotdo LOG:  (?:statement|execute [^:]*): (.*)", text)
    starts = sum("INSERT INTO run" in line or "WITH clock AS" in line for line in sent)
    return (len(sent) - starts) / (SAMPLE * harness.STEPS)
