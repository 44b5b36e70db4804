"""`python -m bench.memory`: what each process of an idle cluster holds, pages shared with others divided among them."""

import time
from dataclasses import dataclass
from pathlib import Path

from bench import harness
from bench.peers.memory import family

RUNS, REST_SECONDS = 100, 2.0
MIB = 1024.0


@dataclass(frozen=True)
class Held:
    """MiB: the share of a process, and what it alone has written."""

    role: str
    pss: float
    private: float


def main() -> None:
    """Measure and print."""
    harness.prepare()
    for one in measure():
        print(f"{one.role:<20} {one.pss:6.1f} MiB PSS {one.private:6.1f} MiB of its own")


def measure(workflow: str = "bench-noop-chain", workers: int = 2) -> list[Held]:
    """Let every worker load what it needs and rest; return what each process holds."""
    from bench import steps

    with harness.cluster(workers) as process:
        steps.backlog(workflow, RUNS)
        time.sleep(REST_SECONDS)
        return [_held(pid) for pid in family(process.pid)]


def worker_mib(found: list[Held]) -> float:
    """Return the largest share of a worker."""
    return max(one.pss for one in found if one.role == "dotdo:worker")


def _held(pid: int) -> Held:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {name: int(value.split()[0]) for name, value in (line.split(":") for line in lines)}
    return Held(Path(f"/proc/{pid}/comm").read_text().strip(), kib["Pss"] / MIB, kib["Private_Dirty"] / MIB)


if __name__ == "__main__":
    main()
