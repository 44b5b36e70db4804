"""`python -m bench.claims`: how long a worker takes to find the next due step among very many that are not for it.

500,000 timers of the future stand in the queue that is asked for, and 200,000 due steps in another one. It says what
one call takes as its caller sees it, with its commit. The runs that were there before are deleted.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.conf import settings

from bench import harness

TIMERS, ELSEWHERE, DUE = 500_000, 200_000, 5_000
EACH = 10  # steps of a run
ROUNDS = 1_000
LEASE = 600.0
LONGEST_MS = 1.0  # at the 95th percentile
OWN, OTHER = "own", "other"
FAR, NEAR, NOW = "now() + n * interval '1 second' + interval '1 day'", "now() - n * interval '1 ms'", "now()"
_RUNS = """
    WITH r AS (
        INSERT INTO run (id, kind, name, workflow_version_id, state, reason, input, context, mail_seq, title, key,
            tags, trigger, actor, parent_index, depth, queue, priority, created_at)
        SELECT uuidv7(), 'workflow', 'bench-claims', (SELECT id FROM workflow_version LIMIT 1), 'running', '', '{}',
            '{}', 0, '', '', '{}', 'bench', 'system', 0, 0, %(queue)s, 2, now()
        FROM generate_series(1, %(runs)s) RETURNING id),
    b AS (
        INSERT INTO branch (id, run_id, frame, index, rest, revision, state, cursor, open, audit_seq, audit_head)
        SELECT uuidv7(), id, '', 0, '', 0, 'open', '{}', 0, 0, '' FROM r RETURNING id, run_id),
    numbered AS (
        SELECT b.id, run_id, place, row_number() OVER () AS n FROM b, generate_series(1, %(each)s) AS place)
    """
_STEPS = """
    INSERT INTO step (id, run_id, branch_id, key, ref, name, kind, function, state, due_at, attempt, failures, claim,
        crashes, generation, wake, caught, queue, priority, created_at)
    SELECT uuidv7(), run_id, id, 's' || place, '', 's', 'task', '', 'ready', {due_at}, 0, 0, 0, 0, 0, 0, false,
        %(queue)s, 2, now() FROM numbered
    """


def main() -> int:
    """Fill the table, measure, and print; 1 when something takes too long."""
    harness.prepare()
    from workflows import claim, identity

    settings.WORKER_QUEUES = [OWN]
    with harness.superuser() as server:
        harness.empty(server)
        try:
            print(f"{_fill(server):,} steps ready", flush=True)
            me = identity.identity()
            slow = [
                _measure("claim.take, the next step of a queue", lambda: claim.take(OWN, 2, me.id, LEASE)),
                _measure("claim.take_first, after a hint", lambda: claim.take_first([OWN], me.id, LEASE)),
                _measure("identity.take, one after the other", me.take),
                _measure("claim.pairs, what is due and when", claim.pairs),
            ]
        finally:
            harness.empty(server)
    return int(any(slow))


def _fill(server: "psycopg.Connection[tuple[object, ...]]") -> object:
    """Insert the steps; the application's own role would not be given the time."""
    for queue, steps, due_at in ((OWN, TIMERS, FAR), (OTHER, ELSEWHERE, NEAR), (OWN, DUE, NOW)):
        values = {"queue": queue, "runs": steps // EACH, "each": EACH}
        server.execute(_RUNS + _STEPS.format(due_at=due_at), values)
    server.execute("VACUUM ANALYZE step, run, branch")
    return (server.execute("SELECT count(*) FROM step WHERE state = 'ready'").fetchone() or (0,))[0]


def _measure(title: str, call: Callable[[], Any]) -> bool:
    """Print what a call takes; tell whether that is too long."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1_000)
    half, most = harness.percentile(taken, 0.5), harness.percentile(taken, 0.95)
    print(f"{title:<40} {half:6.2f} ms p50 {most:6.2f} ms p95", flush=True)
    return most > LONGEST_MS


if __name__ == "__main__":
    sys.exit(main())
