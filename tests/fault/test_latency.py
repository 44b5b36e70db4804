"""An idle worker is told that something is due: it does not find out by asking now and then."""

import statistics
import time
import uuid
from pathlib import Path

from tests.support.cluster import cluster, sql, until
from tests.support.engine import start_action, state

ASKED_EVERY = 1.0  # the least that a cluster asks by itself, because it sweeps
RUNS = 15


def test_an_idle_cluster_begins_at_once_what_it_is_told_of(handlers: None, tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster.log", DOTDO_POLL_SECONDS="10"):
        first = start_action("test-echo", {"value": 0})
        until(lambda: state(first) == "succeeded", 60, "the first run")
        waited = [_waited(0.1 + ASKED_EVERY * number / RUNS) for number in range(RUNS)]
    assert statistics.median(waited) < 0.3 * ASKED_EVERY, f"they waited {sorted(waited)} s"


def _waited(pause: float) -> float:
    """Return how long a run waited for its first step to be claimed, started at any moment between two questions."""
    time.sleep(pause)
    run: uuid.UUID = start_action("test-echo", {"value": 1})
    until(lambda: state(run) == "succeeded", 30, "a run")
    ((seconds,),) = sql(
        "SELECT extract(epoch FROM s.started_at - r.created_at)::float8 FROM run r JOIN step s ON s.run_id = r.id "
        "WHERE r.id = %s",
        run,
    )
    assert isinstance(seconds, float)
    return seconds
