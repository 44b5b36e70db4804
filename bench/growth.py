"""`make bench-growth`: is everything as quick with a million finished runs in the tables as with none?

Two servers, one empty and one whose rows are kept; the same measures on both in turns, so that what else the machine
does meets both alike. Each should keep 95 % of its speed. `ARGS="--runs 10000000"` fills ten million; `ARGS=--shapes`
asks instead how the cost of an item grows with their number in one run (`bench/items.py`).
"""

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import harness, items, machine, report
from bench.parts import FAILED, Part, run
from dotdo_site.launch import quality

ROUNDS, WORKERS = 3, 2
KEPT = 0.95
BYTES_RUN, BYTES_WHOLE, SPARE = 1_200, 4_000, 5_000_000_000  # a run alone, what belongs to it
TABLES = ("run", "step", "attempt", "audit_event")
CALM_BYTES_PER_S, CALM_SECONDS = 200_000, 900


def main() -> int:
    """Fill, measure, print; 1 when something became slower than it may."""
    options = _options()
    if options.shapes is not None:
        return items.measure(options.shapes)
    whole = options.runs if options.whole is None else min(options.whole, options.runs)
    harness.prepare()
    with harness.superuser() as server:
        if not _is_filled(server):
            _refuse_without_room(options.runs, whole)
        facts, stored = machine.describe(server), _fill(server, options.runs, whole)
        print(f"stored: {stored}", flush=True)
    rounds: dict[str, list[dict[str, Any]]] = {"empty": [], "full": []}
    with quality.migrated("empty") as empty:
        for _ in range(1 if options.quick else ROUNDS):
            for name, environment in (("empty", empty), ("full", dict(os.environ))):
                rounds[name].append(_measured(name, environment, quick=options.quick))
    text, kept = judged(rounds)
    print(f"\n{text}")
    if not options.quick:
        _write(f"{report.head(facts, len(rounds['full']))}\nStored: {stored}.\n\n{text}", facts["date"].split()[0])
    return int(kept < KEPT)


def _refuse_without_room(runs: int, whole: int) -> None:
    free = shutil.disk_usage(os.environ["DOTDO_VAR"]).free
    needed = runs * BYTES_RUN + whole * BYTES_WHOLE + SPARE
    if needed > free:
        raise SystemExit(
            f"{runs:,} runs take {needed / 1e9:.0f} GB, and {free / 1e9:.0f} GB are free. "
            f'Make fewer of them whole: ARGS="--runs {runs} --whole {whole // 4}"'
        )


def _fill(server: Any, runs: int, whole: int) -> str:
    """Make the rows that are missing, let the cluster do what it does once after so many runs; say what is there."""
    from bench import pages_definitions, pages_rows

    begun = time.monotonic()
    pages_definitions.definitions()
    pages_rows.fill_finished(server, runs, whole)
    _calm_down(server)
    server.execute("VACUUM ANALYZE")
    server.execute("CHECKPOINT")
    return f"{_stored(server)} ({time.monotonic() - begun:.0f} s)"


def _is_filled(server: Any) -> bool:
    there = server.execute("SELECT to_regclass('bench.done') IS NOT NULL").fetchone()[0]
    return bool(there and server.execute("SELECT EXISTS (SELECT FROM bench.done WHERE name = 'run')").fetchone()[0])


def _stored(server: Any) -> str:
    """Say how many rows there are, and how large the database is."""
    query = "SELECT reltuples::bigint FROM pg_class WHERE relname = %s"
    counts = [f"{server.execute(query, [name]).fetchone()[0]:,} {name}" for name in TABLES]
    (size,) = server.execute("SELECT pg_size_pretty(pg_database_size('dotdo'))").fetchone()
    return f"{', '.join(counts)}; {size}"


def _calm_down(server: Any) -> None:
    """Run the cluster until its chores have caught up: sealing and counting write little more."""
    with harness.cluster(1):
        end, last = time.monotonic() + CALM_SECONDS, -CALM_BYTES_PER_S * 60
        while time.monotonic() < end:
            time.sleep(5)
            written = harness.counters(server).wal_bytes
            if last > 0 and written - last < CALM_BYTES_PER_S * 5:
                return
            last = written


def _measured(name: str, environment: Mapping[str, str], *, quick: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.ours", "measure", str(WORKERS), "--keep", *(["--quick"] if quick else [])]
    answer = run(Part(name, command, environment), Path(os.environ["DOTDO_VAR"]) / "logs" / f"{name}.log")
    if FAILED in answer:
        raise SystemExit(f"{name}: {answer[FAILED]}")
    print(f"{name:<6} {answer['chains']['outside']['steps_per_s']:8,.0f} steps/s", flush=True)
    return answer


MEASURES = {
    "steps/s, one commit per step": lambda one: one["chains"]["outside"]["steps_per_s"],
    "steps/s, commits may be shared": lambda one: one["chains"]["pure"]["steps_per_s"],
    "steps/s, transactional": lambda one: one["chains"]["transactional"]["steps_per_s"],
    "starts with a known key/s": lambda one: one["repeats_per_s"],
    "first step, ms p50": lambda one: one["latency"]["first_p50"],
    "first step, ms p95": lambda one: one["latency"]["first_p95"],
    "tenth step, ms p50": lambda one: one["latency"]["last_p50"],
    "tenth step, ms p95": lambda one: one["latency"]["last_p95"],
}


def judged(rounds: Mapping[str, list[dict[str, Any]]]) -> tuple[str, float]:
    """Return a table of what each measure keeps of its speed, and the least of them."""
    body, kept = [], []
    for title, value in MEASURES.items():
        empty, full = (statistics.median(map(value, rounds[name])) for name in ("empty", "full"))
        kept.append(empty / full if ", ms " in title else full / empty)
        body.append([title, f"{empty:,.1f}", f"{full:,.1f}", f"{kept[-1]:.0%}"])
    verdict = f"The least is {min(kept):.0%}; wanted are {KEPT:.0%}."
    return f"{report.table(['', 'empty', 'filled', 'kept'], body)}\n\n{verdict}\n", min(kept)


def _write(text: str, date: str) -> None:
    path = harness.ROOT / "bench" / "results" / f"{date}-growth.md"
    path.write_text(text)
    print(f"Written to {path.relative_to(harness.ROOT)}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--whole", type=int, help="how many of the newest have steps, attempts and audit (all)")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--shapes", nargs="*", help="loop, fork, map, workers, waiting (all)")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
