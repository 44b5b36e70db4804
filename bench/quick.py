"""`make bench-quick`: two minutes' look at throughput, latency and memory; the last line is for machines."""

import os
import platform

from bench import harness, latency, memory, starts, steps
from bench.ours import CHAINS

TITLES = {
    "outside": "10 no-op steps, a commit each",
    "pure": "the same, commits may be shared",
    "transactional": "the same, transactional handlers",
}


def main() -> None:
    """Measure and print."""
    harness.prepare()
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, 2 workers")
    print(f"single-row commits, one client       {steps.single_commits_per_s():8.0f} /s")
    found = {kind: _measured(kind) for kind in TITLES}
    waited = latency.measure(CHAINS["pure"])
    print(f"idle start to first handler          {waited.first_p50:8.1f} ms p50 {waited.first_p95:8.1f} ms p95")
    print(f"idle start to the last of 10 steps   {waited.last_p50:8.1f} ms p50 {waited.last_p95:8.1f} ms p95")
    held = memory.worker_mib(memory.measure())
    print(f"an idle worker process               {held:8.1f} MiB, shared pages divided")
    begun = starts.measure()  # the last one: it leaves runs that nobody works on
    starts.show(begun)
    with harness.superuser() as server:
        harness.empty(server)
    print(
        f"steps_per_s={found['outside'].steps_per_s:.0f} shared_steps_per_s={found['pure'].steps_per_s:.0f} "
        f"commits_per_step={found['outside'].commits_per_step:.2f} "
        f"first_step_p50_ms={waited.first_p50:.1f} first_step_p95_ms={waited.first_p95:.1f} "
        f"last_step_p50_ms={waited.last_p50:.1f} worker_mib={held:.1f} "
        f"starts_per_s={begun.python:.0f} batch_starts_per_s={begun.batch:.0f} repeats_per_s={begun.repeat:.0f} "
        f"http_starts_per_s={begun.http:.0f} http_batch_starts_per_s={begun.http_batch:.0f}"
    )


def _measured(kind: str) -> steps.Result:
    result = steps.measure(CHAINS[kind])
    print(f"{TITLES[kind]:<36} {result.steps_per_s:8.0f} steps/s")
    print(
        f"  per step: {result.commits_per_step:.2f} commits, {result.statements_per_step:.2f} statements, "
        f"{result.syncs_per_step:.2f} syncs, {result.wal_bytes_per_step / 1024:.1f} kB WAL"
    )
    return result


if __name__ == "__main__":
    main()
