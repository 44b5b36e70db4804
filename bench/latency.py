"""From an idle cluster: how long from the start call until the first handler begins, and until the last one does."""

import time
from dataclasses import dataclass

from bench import harness
from bench.marks import marks

ROUNDS, FIRST_ROUNDS = 100, 10
REST_SECONDS = 0.05


@dataclass(frozen=True)
class Result:
    """Milliseconds."""

    first_p50: float
    first_p95: float
    last_p50: float
    last_p95: float


def measure(workflow: str, workers: int = 2) -> Result:
    """Start runs one by one, each on an idle cluster; the handlers say when they begin."""
    from workflows import operations

    first, last = [], []
    with marks() as heard, harness.cluster(workers):
        for number in range(FIRST_ROUNDS + ROUNDS):
            called = time.monotonic()
            operations.start_workflow(workflow, {"n": number}, actor="system", trigger="bench")
            begun = heard.wait(harness.STEPS)
            if number >= FIRST_ROUNDS:  # they load and prepare
                first.append((begun[0] - called) * 1_000)
                last.append((begun[-1] - called) * 1_000)
            time.sleep(REST_SECONDS)
    share = harness.percentile
    return Result(share(first, 0.5), share(first, 0.95), share(last, 0.5), share(last, 0.95))
