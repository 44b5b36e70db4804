"""`make bench`: dotdo, the machine's own limit and each peer that installs here, in turns, on one PostgreSQL.

First everybody is tuned: each peer by the settings that its file names, dotdo by its number of workers. Then three
rounds, in each of which everybody is measured once, so that what else the machine does meets all alike. A part is a
process with a limit of time; what it answered is kept below DOTDO_VAR until the bench is over, so that an interrupted
one goes on. `--quick` shows in a few minutes that everything works; its figures say little and stay below DOTDO_VAR.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import harness, machine, report
from bench.parts import FAILED, Part, Store, run
from bench.peers import install
from bench.peers.contestants import CONTESTANTS, Contestant
from dotdo_site import embedded_postgres, postgres_programs

ROUNDS = 3
SCALES = ((1, 1), (1, 2), (1, 4), (1, 8), (2, 2), (3, 2))  # clusters, workers of each
BESIDE = ("starts", "claims", "memory")  # measured once, each by its own file
LONG_SECONDS = 300
AS_FAST = 0.95
SHOWN = harness.ROOT / "docs" / "performance.md"
GISTS = ("setting", "checkpoints_per_s", "good")
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


class Bench:
    """One bench: its store, its folders, what failed."""

    def __init__(self, options: argparse.Namespace, server: Any) -> None:
        self.quick, self.only, self.server = options.quick, options.only, server
        self.var = Path(os.environ["DOTDO_VAR"])
        head = {"commit": machine.commit(), "quick": options.quick}
        self.store = Store(self.var / "comparison", head, fresh=options.fresh)
        self.failures: dict[str, str] = {}

    def part(self, name: str, make: Callable[[], Part]) -> dict[str, Any] | None:
        """Return what a part answers, from before or by running it now; None when it fails."""
        kept = self.store.get(name)
        if kept is not None:
            print(f"{name:<28} from before  {_gist(kept)}", flush=True)
            return kept
        self.server.execute("CHECKPOINT")  # nobody pays for the pages of those before
        busy, begun = machine.quiet(), time.monotonic()
        answer = run(make(), self.var / "logs" / f"{name}.log")
        took = f"{time.monotonic() - begun:4.0f} s"
        if FAILED in answer:
            self.failures[name] = answer[FAILED]
            print(f"{name:<28} {took}  not measured: {answer[FAILED]}", flush=True)
            return None
        answer["busy"] = busy
        self.store.put(name, answer)
        print(f"{name:<28} {took}  {_gist(answer)}", flush=True)
        return answer

    def failed(self, name: str) -> bool:
        """Tell whether somebody could not be measured in an earlier round: then not again, for it may take minutes."""
        return any(one.rpartition("-")[0] == name for one in self.failures)

    def wants(self, name: str) -> bool:
        """Tell whether ONLY leaves this in."""
        return not self.only or name in self.only


def main() -> int:
    """Measure, print and write; a peer that cannot be measured is no failure, dotdo is."""
    options = _options()
    harness.prepare()
    with harness.superuser() as server:
        described = machine.describe(server)
        bench = Bench(options, server)
        results = _measure(bench)
    found = {"machine": described, "quick": options.quick, "rounds": _rounds(options.quick)} | results
    text = report.markdown(found)
    print("\n" + text)
    print(f"Written to {' and '.join(map(str, _write(bench, found, text)))}.")
    if not bench.only:
        bench.store.clear()
    return 1 if any(name.startswith(("ours", "physical")) for name in bench.failures) else 0


def _measure(bench: Bench) -> dict[str, Any]:
    scale = list(_scale(bench)) if bench.wants("ours") else []
    workers = _workers([row for row in scale if row["clusters"] == 1])
    tuned = {one: _tuned(bench, one) for one in CONTESTANTS if bench.wants(one.name)}
    rounds: dict[str, list[dict[str, Any]]] = {}
    for number in range(1, _rounds(bench.quick) + 1):
        for name, make in _turns(bench, tuned, workers):
            if bench.failed(name):
                continue
            answer = bench.part(f"{name}-{number}", make)
            rounds.setdefault(name, []).extend([answer] if answer else [])
    beside = _beside(bench)
    _clear(bench)
    return {
        "scale": scale,
        "physical": rounds.get("physical", []),
        "ours": {"workers": workers, "rounds": rounds.get("ours", [])},
        "peers": [_peer(bench, one, tuned[one], rounds.get(one.name, [])) for one in tuned],
        "beside": beside,
    }


def _scale(bench: Bench) -> Iterator[dict[str, Any]]:
    for clusters, workers in SCALES[:2] if bench.quick else SCALES:
        part = _own("ours", "scale", clusters, workers, quick=bench.quick)
        answer = bench.part(f"scale-{clusters}-{workers}", lambda part=part: part)  # type: ignore[misc]
        if answer:
            yield {"clusters": clusters, "workers": workers} | answer


def _workers(scale: Sequence[dict[str, Any]]) -> int:
    """Return how many workers dotdo is measured with: no more than it takes to be as fast as with any number."""
    best = max((row["outside"] for row in scale), default=0.0)
    return min((row["workers"] for row in scale if row["outside"] >= AS_FAST * best), default=2)


def _tuned(bench: Bench, peer: Contestant) -> dict[str, Any] | str:
    """Return a peer's best setting with its environment, or why it cannot be measured."""
    if peer.needs and not shutil.which(peer.needs):
        return f"{peer.needs} is not installed"
    try:
        install.install(peer.module, bench.var / "venvs")
    except install.NotInstalled as error:
        return str(error)
    answer = bench.part(f"{peer.name}-tune", lambda: _peer_part(bench, peer, "tune"))
    return bench.failures[f"{peer.name}-tune"] if answer is None else answer


def _turns(
    bench: Bench, tuned: dict[Contestant, dict[str, Any] | str], workers: int
) -> Iterator[tuple[str, Callable[[], Part]]]:
    """Give everybody a turn, in one round."""
    if bench.wants("physical"):
        yield "physical", lambda: _own("physical", quick=bench.quick)
    if bench.wants("ours"):
        yield "ours", lambda: _own("ours", "measure", workers, quick=bench.quick)
    for peer, found in tuned.items():
        if isinstance(found, dict):
            setting = json.dumps(found["setting"])
            yield peer.name, lambda peer=peer, setting=setting: _peer_part(bench, peer, "measure", setting)  # type: ignore[misc]


def _own(module: str, *arguments: object, quick: bool) -> Part:
    command = [sys.executable, "-m", f"bench.{module}", *map(str, arguments), *(["--quick"] if quick else [])]
    return Part(module, command, os.environ)


def _peer_part(bench: Bench, peer: Contestant, *arguments: str) -> Part:
    """Make an empty database and an empty folder for a peer, and return its process."""
    database, folder = f"bench_{peer.module}", bench.var / "data" / peer.name
    self_made = bench.var / "venvs" / peer.module
    bench.server.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    bench.server.execute(f"CREATE DATABASE {database}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOTDO_", "DJANGO_"))}
    environment = kept | {
        "BENCH_DATABASE": embedded_postgres.superuser_url(bench.var).replace("/postgres?", f"/{database}?"),
        "BENCH_FOLDER": str(folder),
        "BENCH_NPM": str(install.npm(self_made)),
        "BENCH_VARIANT": peer.variant,
        "PATH": f"{postgres_programs.programs()}{os.pathsep}{os.environ['PATH']}",  # psql
    }
    python = str(self_made / "bin" / "python")
    quick = ["--quick"] if bench.quick else []
    return Part(peer.name, [python, "-m", f"bench.peers.{peer.module}", *arguments, *quick], environment)


def _peer(bench: Bench, peer: Contestant, tuned: dict[str, Any] | str, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Put together what is known of a peer."""
    known = {"name": peer.name, "title": peer.title, "durable": peer.durable}
    why = tuned if isinstance(tuned, str) else None
    if not why and not rounds:
        why = next((said for name, said in bench.failures.items() if name.startswith(f"{peer.name}-")), "no round")
    return known | ({FAILED: why} if why else {"tuned": tuned, "rounds": rounds})


def _beside(bench: Bench) -> dict[str, Any]:
    """Run what measures one thing each, and keep what they print."""
    found = {}
    for name in BESIDE if bench.wants("ours") and not bench.quick else ():
        part = Part(name, [sys.executable, "-m", f"bench.{name}"], os.environ, LONG_SECONDS, prints=True)
        found[name] = bench.part(name, lambda part=part: part)  # type: ignore[misc]
        harness.empty(bench.server)
    return {name: answer for name, answer in found.items() if answer}


def _clear(bench: Bench) -> None:
    """Drop what peers have stored."""
    for peer in CONTESTANTS:
        bench.server.execute(f"DROP DATABASE IF EXISTS bench_{peer.module} WITH (FORCE)")
    shutil.rmtree(bench.var / "data", ignore_errors=True)


def _rounds(quick: bool) -> int:
    return 1 if quick else ROUNDS


def _gist(answer: dict[str, Any]) -> str:
    chains = answer.get("chains", {})
    rate = answer.get("steps_per_s") or answer.get("outside") or chains.get("outside", {}).get("steps_per_s")
    return f"{rate:,.0f} steps/s" if rate else json.dumps({name: answer[name] for name in answer if name in GISTS})


def _write(bench: Bench, found: dict[str, Any], text: str) -> list[Path]:
    folder = bench.var / "results" if bench.quick or bench.only else harness.ROOT / "bench" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / found["machine"]["date"].split()[0]
    paths = [base.with_suffix(".json"), base.with_suffix(".md")]
    for path, content in zip(paths, (json.dumps(found, indent=1) + "\n", text), strict=True):
        path.write_text(content)
    if folder.is_relative_to(harness.ROOT / "bench"):
        paths.append(_show(report.summary(found, paths[1].name)))
    return [path.relative_to(harness.ROOT) if path.is_relative_to(harness.ROOT) else path for path in paths]


def _show(text: str) -> Path:
    """Put the figures where people look for them."""
    before, _, rest = SHOWN.read_text().partition(BEGIN)
    SHOWN.write_text(f"{before}{BEGIN}\n{text}{END}{rest.partition(END)[2]}")
    return SHOWN


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one short round: only to see that everything works")
    parser.add_argument("--fresh", action="store_true", help="forget the parts of an interrupted bench")
    parser.add_argument("--only", nargs="+", default=[], help="ours, physical, or the names of peers")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; the same call goes on from here")
