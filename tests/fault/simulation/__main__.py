"""`python -m tests.fault.simulation --seeds 20000` plays many executions, `--seed N` shows one of them in full."""

import argparse
import time

from tests.fault.simulation.bugs import BUGS
from tests.fault.simulation.rows import Database
from tests.fault.simulation.simulation import play, scenario_of

ENOUGH = 10


def main() -> int:
    """Play the seeds; print which promises were broken and how to see it again."""
    options = _options()
    bugs = frozenset(options.bug)
    if options.seed is not None:
        return _show(options.seed, bugs)
    began, failed = time.monotonic(), 0
    for seed in range(options.first, options.first + options.seeds):
        broken = play(seed, bugs).broken
        if broken:
            failed += 1
            print(f"seed {seed} ({scenario_of(seed).name}): {'; '.join(broken)}\n  again: {again(seed, bugs)}")
        if failed >= ENOUGH:
            break
    print(f"{time.monotonic() - began:.1f} s, {failed} of {seed - options.first + 1} seeds broke a promise")
    return 1 if failed else 0


def again(seed: int, bugs: frozenset[str] = frozenset()) -> str:
    """Return the command that plays a seed again and shows its rows."""
    return " ".join(["python -m tests.fault.simulation", f"--seed {seed}", *(f"--bug {bug}" for bug in sorted(bugs))])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fault.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="begin with this seed")
    parser.add_argument("--seed", type=int, help="play this one and show its rows")
    parser.add_argument("--bug", action="append", default=[], choices=BUGS, help="leave a guard out")
    return parser.parse_args()


def _show(seed: int, bugs: frozenset[str]) -> int:
    played = play(seed, bugs)
    print(f"seed {seed} ({scenario_of(seed).name})")
    _print_rows(played.db)
    for problem in played.broken:
        print(f"BROKEN: {problem}")
    return 1 if played.broken else 0


def _print_rows(db: Database) -> None:
    print(f"at {db.now:.1f} s")
    for row in (*db.runs.values(), *db.branches.values(), *db.steps.values(), *db.undos.values(), *db.messages):
        print(f"  {row}")
    print(f"  transactional effects: {db.ledger}\n  sent outside: {dict(db.sink)}")


if __name__ == "__main__":
    raise SystemExit(main())
