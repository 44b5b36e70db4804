"""What is held while work goes on or rests: workers at the same time, connections, leases."""

import time

from bench import harness, shapes
from bench.shapes import Shape

_BUSY = "SELECT count(DISTINCT leased_by) FROM step WHERE state = 'running'"
# What workers hold: their sessions, apart from this process's own.
_SESSIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE usename = current_user AND pid <> pg_backend_pid() AND state IS NOT NULL
"""
_OPEN = "SELECT count(*) FROM step WHERE state = 'running'"


def most_workers_at_once(shape: Shape) -> int:
    """Run a shape and return the largest number of workers that held one of its steps at the same moment."""
    shapes.publish(shape)
    run_id, most = shapes.start(shape), 0
    until = time.monotonic() + 60
    while time.monotonic() < until and not _answer(f"SELECT state = 'succeeded' FROM run WHERE id = '{run_id}'"):
        most = max(most, _answer(_BUSY))
        time.sleep(0.02)
    return most


def while_waiting(runs: int) -> tuple[int, int, int, float]:
    """Let many runs wait; return sessions before and then, running steps, and how many ms another run takes."""
    shapes.publish(shapes.WAITING)
    shapes.run(shapes.SHAPES["wide"])  # every worker has done something
    time.sleep(1)
    before = _answer(_SESSIONS)
    for _ in range(runs):
        shapes.start(shapes.WAITING)
    harness.until("SELECT NOT EXISTS (SELECT FROM run WHERE state IN ('pending', 'running'))", 120)
    time.sleep(1)
    during, running, began = _answer(_SESSIONS), _answer(_OPEN), time.monotonic()
    shapes.run(Shape("a step", "bench-child", shapes.CHILD, 1, "SELECT finished_at FROM step WHERE run_id = %s"))
    return before, during, running, (time.monotonic() - began) * 1_000


def _answer(query: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])
