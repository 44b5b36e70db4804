"""The tables of `make bench`, from its results: medians of the rounds, and ratios to dotdo."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bench.harness import percentile
from bench.machine import QUIET
from bench.parts import FAILED

Round = dict[str, Any]
HEAD = """# Benchmark of {date}

{machine}; {system}; Python {python}; PostgreSQL {postgresql} (embedded), {settings}. {packages}.
A page written and flushed by itself: {syncs_per_s:,} per second. Commit {commit}.
Rounds in which everybody has a turn: {rounds}; figures are their medians.
Everything runs on this one machine, clients included.
"""
NOTES = """First and tenth step: milliseconds from the start call on idle workers, median / 95th percentile.
Repeats: starts with a known key, one thread.
Memory: proportional set size in MiB of one worker with its children, and of a server beside it.
"""


def markdown(found: dict[str, Any]) -> str:
    """Return the whole report."""
    sections = [_head(found), _peers(found), _limit(found), _costs(found), _scale(found), _beside(found), _tuned(found)]
    return "\n".join(section for section in sections if section)


def summary(found: dict[str, Any], name: str) -> str:
    """Return what the documentation shows of it, one level deeper and without the trials."""
    facts = found["machine"]
    taken = (
        f"Taken on {facts['date'].split()[0]} with `make bench`: {facts['machine']}, Python {facts['python']}, "
        f"PostgreSQL {facts['postgresql']} (embedded). All of it: [bench/results/{name}](../bench/results/{name}).\n"
    )
    sections = [_peers(found), _limit(found), _costs(found), _scale(found)]
    return "\n".join([taken, *(section.replace("## ", "### ", 1) for section in sections if section)])


def head(facts: dict[str, Any], rounds: int) -> str:
    """Return on what and with what it was measured."""
    named = {
        "settings": ", ".join(f"`{name}={value}`" for name, value in facts["settings"].items()),
        "packages": ", ".join(f"{name} {value}" for name, value in facts["packages"].items()),
        "rounds": rounds,
    }
    return HEAD.format(**facts | named)


def _head(found: dict[str, Any]) -> str:
    text = head(found["machine"], found["rounds"])
    busy = [part["busy"] for part in _parts(found) if "busy" in part]
    disturbed = sum(share > QUIET for share in busy)
    if disturbed:
        share = f"{disturbed} of {len(busy)} parts"
        text += f"Begun while other programs used more than {QUIET:.0%} of the processors: {share}.\n"
    note = "\n**A quick look: short and once. These figures say that everything works, not how fast.**\n"
    return text + (note if found["quick"] else "")


def _parts(found: dict[str, Any]) -> list[Round]:
    rounds = [*found["scale"], *found["physical"], *found["ours"]["rounds"]]
    return rounds + [one for peer in found["peers"] for one in peer.get("rounds", [])]


def _peers(found: dict[str, Any]) -> str:
    ours = found["ours"]["rounds"]
    rows = _ours(ours) if ours else []
    reference = rows[0][1] if rows else None
    rows += [(peer["title"], _peer_figures(peer["rounds"])) for peer in found["peers"] if FAILED not in peer]
    if not rows:
        return ""
    ranked = sorted(rows, key=lambda row: -row[1]["steps"])
    body = [_row(title, figures, reference) for title, figures in ranked]
    missing = [f"Not measured: {peer['title']}: {peer[FAILED]}." for peer in found["peers"] if FAILED in peer]
    head = ["", "steps/s", "dotdo is", "first step", "tenth step", "repeats/s", "idle worker"]
    lines = [_against_the_best(found, rows), NOTES, *missing]
    return "\n".join(["## Peers: runs of ten sequential steps that do nothing", "", table(head, body), "", *lines, ""])


def _against_the_best(found: dict[str, Any], rows: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Say how each kind of step compares with the quickest peer that is durable."""
    durable = {peer["title"] for peer in found["peers"] if peer["durable"]}
    peers = [row for row in rows if row[0] in durable]
    ours = [row for row in rows if row[0] in KINDS.values()]
    if not peers or not ours:
        return ""
    title, best = max(peers, key=lambda row: row[1]["steps"])
    ratios = [f"{name.strip('*')} {figures['steps'] / best['steps']:.2f} ×" for name, figures in ours]
    return f"The quickest durable peer is {title}, of which {'; '.join(ratios)}.\n"


def _row(title: str, figures: dict[str, Any], reference: dict[str, Any] | None) -> list[str]:
    ratio = f"{reference['steps'] / figures['steps']:.2f} ×" if reference and figures["steps"] else ""
    return [
        title,
        f"{figures['steps']:,.0f}",
        ratio,
        _pair(figures.get("first")),
        _pair(figures.get("last")),
        f"{figures['repeats']:,.0f}" if figures.get("repeats") else "",
        figures.get("memory") or "",
    ]


def _ours(rounds: Sequence[Round]) -> list[tuple[str, dict[str, Any]]]:
    chains = {kind: median(rounds, lambda one, kind=kind: one["chains"][kind]["steps_per_s"]) for kind in KINDS}
    waits = {
        name: (
            median(rounds, lambda one, n=name: one["latency"][f"{n}_p50"]),
            median(rounds, lambda one, n=name: one["latency"][f"{n}_p95"]),
        )
        for name in ("first", "last")
    }
    whole = {
        "steps": chains["outside"],
        **waits,
        "repeats": median(rounds, lambda one: one["repeats_per_s"]),
        "memory": f"{median(rounds, lambda one: one['idle_pss_mib']):.0f}",
    }
    others = [(KINDS[kind], {"steps": chains[kind]}) for kind in list(KINDS)[1:]]
    return [(KINDS["outside"], whole), *others]


KINDS = {
    "outside": "**dotdo, one commit per step**",
    "pure": "**dotdo, steps that may share commits**",
    "transactional": "**dotdo, effects in the step's own transaction**",
}


def _peer_figures(rounds: Sequence[Round]) -> dict[str, Any]:
    def waits(name: str) -> tuple[float, float]:
        return median(rounds, lambda one: percentile(one[name], 0.5)), median(
            rounds, lambda one: percentile(one[name], 0.95)
        )

    memory = [f"{median(rounds, lambda one, name=name: one[name]):.0f}" for name in MEMORIES if rounds[0][name]]
    return {
        "steps": median(rounds, lambda one: one["steps_per_s"]),
        "first": waits("first_ms"),
        "last": waits("last_ms"),
        "repeats": median(rounds, lambda one: one["repeats_per_s"]) if rounds[0]["repeats_per_s"] else None,
        "memory": " + ".join(memory),
    }


MEMORIES = ("idle_pss_mib", "server_pss_mib")


def _limit(found: dict[str, Any]) -> str:
    rounds = found["physical"]
    if not rounds:
        return ""
    clients = list(rounds[0]["checkpoints_per_s"])
    checkpoints = {n: median(rounds, lambda one, n=n: one["checkpoints_per_s"][n]) for n in clients}
    singles = {n: median(rounds, lambda one, n=n: one["single_rows_per_s"][n]) for n in rounds[0]["single_rows_per_s"]}
    body = [
        ["rows of a checkpoint", *(f"{checkpoints[n]:,.0f}" for n in clients)],
        ["one row", *(f"{singles[n]:,.0f}" if n in singles else "" for n in clients)],
    ]
    lines = ["## The machine's own limit: pgbench, transactions per second", ""]
    lines += [table(["clients", *clients], body), ""]
    written = median(rounds, lambda one: one["wal_bytes_per_checkpoint"])
    lines += [f"The rows of a checkpoint are {written / 1024:.1f} kB in the log.", ""]
    if found["ours"]["rounds"]:
        rate = median(found["ours"]["rounds"], lambda one: one["chains"]["outside"]["steps_per_s"])
        most = max(checkpoints.values())
        same = checkpoints.get(str(found["ours"]["workers"]), most)
        lines += [
            (
                f"dotdo with {found['ours']['workers']} workers and one commit per step: {rate:,.0f} steps/s, "
                f"{rate / same:.0%} of pgbench with as many clients and {rate / most:.0%} of its best."
            ),
            "",
        ]
    return "\n".join(lines)


def _costs(found: dict[str, Any]) -> str:
    rounds = found["ours"]["rounds"]
    if not rounds:
        return ""
    names = ("commits_per_step", "syncs_per_step", "wal_bytes_per_step")
    body = []
    for kind, title in KINDS.items():
        values = [median(rounds, lambda one, kind=kind, name=name: one["chains"][kind][name]) for name in names]
        body.append([title.strip("*"), f"{values[0]:.2f}", f"{values[1]:.2f}", f"{values[2] / 1024:.1f} kB"])
    head = ["per step, under backlog, starts included", "write transactions", "syncs of the log", "log written"]
    return "\n".join(["## What a step costs the server", "", table(head, body), ""])


def _scale(found: dict[str, Any]) -> str:
    body = [
        [str(row["clusters"]), str(row["workers"]), f"{row['outside']:,.0f}", f"{row['pure']:,.0f}"]
        for row in found["scale"]
    ]
    head = ["clusters", "workers of each", "steps/s, one commit per step", "steps/s, commits may be shared"]
    return "\n".join(["## More workers and clusters", "", table(head, body), ""]) if body else ""


def _beside(found: dict[str, Any]) -> str:
    blocks = [
        f"`python -m bench.{name}`:\n\n```text\n{answer['text']}\n```\n" for name, answer in found["beside"].items()
    ]
    return "\n".join(["## Starts, claims, memory", "", *blocks]) if blocks else ""


def _tuned(found: dict[str, Any]) -> str:
    """Say which version of each peer was measured, how, and what else was tried."""
    body = []
    for peer in found["peers"]:
        if FAILED not in peer:
            tried = ", ".join(f"{_setting(rate)}: {rate['steps_per_s']:,.0f}" for rate in peer["tuned"]["rates"])
            body.append([peer["title"], peer["tuned"]["version"], _setting(peer["tuned"]["setting"]), tried])
    head = ["", "version", "processes × at a time", "short trials of each, steps/s"]
    text = "How each is tuned otherwise is written in its file, `bench/peers/<peer>.py`."
    return "\n".join(["## How peers were tuned", "", text, "", table(head, body), ""]) if body else ""


def _setting(setting: dict[str, Any]) -> str:
    return f"{setting['processes']} × {setting['concurrency']}"


def median(rounds: Iterable[Round], value: Callable[..., float]) -> float:
    """Return the median of what each round says."""
    return statistics.median(value(one) for one in rounds)


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _pair(values: tuple[float, float] | None) -> str:
    return f"{values[0]:.1f} / {values[1]:.1f}" if values else ""
