"""`make chaos-report`: rounds of chaos, one after the other; what came of each is kept in docs/evidence.

SEEDS rounds of DURATION seconds with faults, after one without any (CALM) and one with nothing but kills, one at a
time, and the lease of a real installation (KILLS). Rounds are added to those that are there; FRESH=1 begins anew.
"""

import json
import os
import platform
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dotdo_site.launch.checkout import ROOT
from tests.chaos.result import percentiles

EVIDENCE = ROOT / "docs" / "evidence"
GIB = 1 << 30
ALONE_SECONDS = "3"  # between two kills: what one costs, not what two at once do
COLUMNS = (
    *("date", "commit", "machine", "seed", "seconds", "pause", "clocks off"),
    *("runs", "faults", "commits cut", "per key", "violations"),
)
HEAD = """# Chaos: what was measured

Written by `make chaos-report`. [What is promised](../guarantees.md) and [how a round goes](../../CONTRIBUTING.md) are
described elsewhere. Every line is one round of real processes under attack, and can be repeated with its commit and
seed: `make chaos SEED=... DURATION=... PAUSE=...` (the seed fixes the faults and the work, not the timing).
"""


def main() -> int:
    """Play the rounds, then write both files; return whether every round kept every promise."""
    seeds, first = int(os.environ.get("SEEDS") or 5), int(os.environ.get("SEED") or 1)
    duration = os.environ.get("DURATION") or "240"
    calm = {"CALM": "1", "SEED": str(first), "DURATION": "60"}
    kills = {"KILLS": "1", "SEED": str(first), "DURATION": duration, "PAUSE": ALONE_SECONDS}
    plain = [{"SEED": str(first + n), "DURATION": duration} for n in range(seeds)]
    extra = [] if os.environ.get("ONLY_FAULTS") else [calm, kills]
    played = [_play(settings) for settings in extra + plain]
    return max(played, default=0)


def _play(settings: dict[str, str]) -> int:
    """Play one round in a process of its own and add it to the evidence at once."""
    code = subprocess.call([sys.executable, "-m", "tests.chaos"], cwd=ROOT, env=os.environ | settings)
    file = Path(os.environ["DOTDO_VAR"]) / "last" / "result.json"
    add(json.loads(file.read_text()) | {"kills": "KILLS" in settings})
    return code


def add(result: dict[str, Any]) -> None:
    """Add a round to both files."""
    EVIDENCE.mkdir(exist_ok=True)
    file = EVIDENCE / "chaos.json"
    fresh = bool(os.environ.pop("FRESH", ""))
    rounds: list[dict[str, Any]] = [] if fresh or not file.exists() else json.loads(file.read_text())
    rounds.append(_circumstances() | result)
    file.write_text("[\n" + ",\n".join(map(json.dumps, rounds)) + "\n]\n")  # a line for each round
    (EVIDENCE / "chaos.md").write_text(page(rounds))


def page(rounds: list[dict[str, Any]]) -> str:
    """Return the page for people."""
    return "\n".join([HEAD, *_totals(rounds), "", *_rows(rounds), "", *_recoveries(rounds), ""])


def _circumstances() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit.stdout.strip(),
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}",
        "python": platform.python_version(),
    }


def _totals(rounds: list[dict[str, Any]]) -> Iterator[str]:
    faults: Counter[str] = Counter()
    for found in rounds:
        faults.update(_faults(found))
    calm = [found for found in rounds if found["calm"]]
    yield "## In all\n\n| | |\n|---|---|"
    yield f"| rounds, seeds | {len(rounds)}, {len({found['seed'] for found in rounds})} |"
    yield f"| runs, steps | {_sum(rounds, 'runs'):,}, {_sum(rounds, 'steps'):,} |"
    yield f"| faults | {sum(faults.values()):,} |"
    yield from (f"| &nbsp; {kind} | {count:,} |" for kind, count in faults.most_common())
    yield f"| fenced zombies | {_sum(rounds, 'fenced_zombies'):,} |"
    yield f"| attempts taken over from dead or frozen workers | {_sum(rounds, 'reclaims'):,} |"
    yield f"| **violations** | **{sum(map(_violations, rounds))}** |"
    if calm:
        keys, all_ = (sum(found["deliveries"][name] for found in calm) for name in ("keys", "all"))
        yield f"| without faults: deliveries outside, keys | {all_:,}, {keys:,}; none that nobody asked for |"


def _rows(rounds: list[dict[str, Any]]) -> Iterator[str]:
    yield "## Rounds\n"
    yield f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"
    for found in rounds:
        kind = " (calm)" if found["calm"] else " (kills)" if found["kills"] else ""
        cells = [
            *(found["date"], found["commit"], found["machine"], f"{found['seed']}{kind}", f"{found['duration']:.0f}"),
            "" if found["calm"] else f"{found['pause']:g}",
            f"{found.get('skew', 0):g}",
            *(f"{number:,}" for number in (found["runs"], sum(_faults(found).values()), _cut(found))),
            *(found["deliveries"]["per key"], _violations(found)),
        ]
        yield f"| {' | '.join(map(str, cells))} |"


def _recoveries(rounds: list[dict[str, Any]]) -> Iterator[str]:
    yield "## Recovery\n\nSeconds until work that a killed process held is free or held by another, and until the audit"
    yield "trail grows once the database answers again.\n"
    yield "| rounds | after | n | p50 | p99 | max |\n|---|---|---|---|---|---|"
    for title, chosen in (("with kills only", True), ("with all faults", False)):
        samples: dict[str, list[float]] = defaultdict(list)
        for found in rounds:
            for name, seconds in found["recovery"].items():
                samples[name] += seconds if found["kills"] is chosen else []
        for name, seconds in samples.items():
            if seconds:
                yield f"| {title} | {name} | {' | '.join(map(str, percentiles(seconds).values()))} |"


def _faults(found: dict[str, Any]) -> Counter[str]:
    """Return the faults by kind; of the commits that were to be cut, those that were."""
    asked = {kind: count for kind, count in found["faults"].items() if not kind.startswith("cut commit")}
    return Counter(asked | {"commit cut": _cut(found)})


def _cut(found: dict[str, Any]) -> int:
    return sum(found["cut_commits"].values())


def _violations(found: dict[str, Any]) -> int:
    return sum(len(lines) for lines in found["violations"].values())


def _sum(rounds: list[dict[str, Any]], name: str) -> int:
    return sum(found[name] for found in rounds)


if __name__ == "__main__":
    sys.exit(main())
