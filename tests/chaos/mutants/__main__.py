"""`make chaos-mutants`: plant each bug and let a layer of the proof look; what stays green is a hole in the proof."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
RED = 1  # the exit code of pytest, the simulator and the chaos run when something was seen; others mean that it broke
PYTEST = ("-m", "pytest", "-q", "-x", "--no-header", "--show-capture=no", "-p", "no:cacheprovider")


@dataclass(frozen=True)
class Look:
    """One mutant and the layer that has to see it."""

    mutant: str
    layer: str
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    sign: str = ""  # what the output must say: red for another reason is not seen


def _simulation(bug: str) -> Look:
    return Look(bug, "simulation", ("-m", "tests.fault.simulation", "--seeds", "2000", "--bug", bug))


def _pytest(mutant: str, layer: str, *tests: str, sign: str = "AssertionError") -> Look:
    environment = ("DOTDO_APPS", "tests.chaos.mutants"), ("CHAOS_MUTANT", mutant)
    return Look(mutant, layer, (*PYTEST, *tests), environment, sign)


def _chaos(mutant: str, sign: str, *, calm: bool = False) -> Look:
    environment = ("MUTANT", mutant), ("DURATION", "12"), ("SEED", "7"), ("CALM", str(int(calm)))
    return Look(mutant, "chaos", ("-m", "tests.chaos"), environment, sign)


LOOKS = (
    *map(_simulation, ("no-fence", "id-only", "effect-outside", "lost-event", "no-dedup")),
    _pytest("no-fence", "interleaving", "tests/fault/test_late_workers.py", "-k", "zombies", sign="a late worker"),
    _pytest("racy-park", "interleaving", "tests/fault/test_interleavings.py", "-k", "event"),
    *(_pytest(bug, "stateful", "tests/fault/stateful") for bug in ("id-only", "lost-event")),
    _pytest("no-notify", "latency", "tests/fault/test_latency.py", sign="they waited"),
    _chaos("no-key", "one key has one run", calm=True),
    _chaos("effect-outside", "a transactional effect"),
    _chaos("lost-wake", "every run ends", calm=True),
)


def main(wanted: Sequence[str]) -> int:
    """Look for every mutant, or those of the wanted names and layers; exit code 1 when one survives."""
    survived, looks = 0, [look for look in LOOKS if not wanted or {look.mutant, look.layer} & set(wanted)]
    print(f"{'mutant':<16}{'layer':<14}{'seconds':>8}  what went red", flush=True)
    for look in looks:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, *look.argv],
            env=os.environ | dict(look.environment),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        seen = done.returncode == RED and look.sign in done.stdout
        survived += not seen
        said = _what(done.stdout) if seen else f"SURVIVED (exit code {done.returncode})"
        print(f"{look.mutant:<16}{look.layer:<14}{time.monotonic() - began:8.1f}  {said}", flush=True)
        if not seen:
            print(done.stdout[-3_000:], flush=True)
    print(f"{len(looks) - survived} of {len(looks)} planted bugs were found")
    return 1 if survived else 0


def _what(output: str) -> str:
    """Return the first line that says what was wrong."""
    lines = [line.strip() for line in output.splitlines() if line.startswith(("E   ", "seed ", "  VIOLATED"))]
    said = [line.removeprefix("E").strip() for line in lines if line.strip("E ")]
    return next((line for line in said if "VIOLATED" in line), said[0] if said else "")[:120]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
