"""From an idle cluster: how long from the start call until the first handler has begun, and until the run is done."""

import time
from dataclasses import dataclass

from bench import harness

ROUNDS = 100


@dataclass(frozen=True)
class Result:
    """Milliseconds."""

    first_p50: float
    first_p95: float
    last_p50: float
    last_p95: float


def measure(workflow: str, workers: int = 2) -> Result:
    """Start runs one by one, each on an idle cluster, and read the database's clock."""
    from django.db import connection

    from workflows import operations

    first, last = [], []
    with harness.cluster(workers), connection.cursor() as cursor:
        for number in range(ROUNDS + 5):
            cursor.execute("SELECT clock_timestamp()")
            called = cursor.fetchone()[0]
            run_id = operations.start_workflow(workflow, {"n": number}, actor="system", trigger="bench").run_id
            harness.until(f"SELECT state IN ('succeeded', 'failed') FROM run WHERE id = '{run_id}'", 30)
            cursor.execute("SELECT min(started_at), max(finished_at) FROM step WHERE run_id = %s", [run_id])
            begun, done = cursor.fetchone()
            if number >= 5:  # the first ones load and prepare
                first.append((begun - called).total_seconds() * 1_000)
                last.append((done - called).total_seconds() * 1_000)
            time.sleep(0.05)
    share = harness.percentile
    return Result(share(first, 0.5), share(first, 0.95), share(last, 0.5), share(last, 0.95))
