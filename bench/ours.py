"""dotdo's own part of `make bench`, in a process of its own; the last line is the answer, as JSON.

`scale CLUSTERS WORKERS`: steps per second. `measure WORKERS`: one repetition of everything that peers are compared by;
with `--keep` beside the runs that are there.
"""

import json
import sys
from dataclasses import asdict
from typing import Any

from bench import harness, latency, memory, steps
from bench.peers.course import calls_per_s

# One commit per step; steps that may share commits; steps that do their effects in the transaction that records them.
CHAINS = {
    "outside": "bench-noop-outside-chain",
    "pure": "bench-noop-chain",
    "transactional": "bench-noop-transactional-chain",
}
SECONDS, QUICK_SECONDS = 3.0, 1.0
TRIAL, MOST = 50, 4_000  # runs


def main() -> None:
    """Measure what the arguments name."""
    what, *numbers = sys.argv[1:]
    seconds = QUICK_SECONDS if "--quick" in numbers else SECONDS
    harness.prepare()
    keep = "--keep" in numbers
    with harness.superuser() as server:
        if not keep:
            harness.empty(server)
        if what == "scale":
            answer = scale(int(numbers[0]), int(numbers[1]), seconds)
        else:
            answer = measure(server, int(numbers[0]), seconds)
        if not keep:
            harness.empty(server)
    print("\n" + json.dumps(answer), flush=True)


def scale(clusters: int, workers: int, seconds: float) -> dict[str, Any]:
    """Return steps per second of both kinds of commits."""
    with harness.clusters(clusters, workers):
        warm_up(CHAINS.values())
        return {kind: throughput(CHAINS[kind], seconds)[1] for kind in ("outside", "pure")}


def measure(server: Any, workers: int, seconds: float) -> dict[str, Any]:
    """Return throughput and costs of each chain, latency, repeats, memory."""
    with harness.cluster(workers):
        warm_up(CHAINS.values())
        chains = {kind: _with_costs(server, name, seconds) for kind, name in CHAINS.items()}
        repeats = calls_per_s(_repeat, seconds)
    waited = latency.measure(CHAINS["pure"], workers)
    held = memory.worker_mib(memory.measure(CHAINS["pure"], workers))
    return {"chains": chains, "latency": asdict(waited), "repeats_per_s": repeats, "idle_pss_mib": held}


def warm_up(workflows: Any) -> None:
    """Let every worker load and prepare everything before anything is timed."""
    for workflow in workflows:
        steps.backlog(workflow, TRIAL)


def throughput(workflow: str, seconds: float) -> tuple[int, float]:
    """Return how many runs, and their steps per second; as many as should take this long."""
    trial = steps.backlog(workflow, TRIAL)
    runs = min(MOST, max(TRIAL, round(trial * seconds / harness.STEPS)))
    return TRIAL + runs, steps.backlog(workflow, runs)


def _with_costs(server: Any, workflow: str, seconds: float) -> dict[str, float]:
    before = harness.counters(server)
    runs, rate = throughput(workflow, seconds)
    spent, done = harness.counters(server) - before, runs * harness.STEPS
    return {
        "steps_per_s": rate,
        "commits_per_step": spent.transactions / done,
        "syncs_per_step": spent.syncs / done,
        "wal_bytes_per_step": spent.wal_bytes / done,
    }


def _repeat() -> None:
    from workflows import operations

    operations.start_workflow(CHAINS["pure"], {"n": 0}, actor="system", trigger="bench", key="known")


if __name__ == "__main__":
    main()
