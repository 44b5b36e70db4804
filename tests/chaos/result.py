"""What a chaos run says in the end: the table, what was too little, and the verdict."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.evidence import Evidence
from tests.chaos.faults import Faults
from tests.chaos.mix import CONSTRUCTS
from tests.chaos.options import Options
from tests.chaos.recovery import Recovery

SHOWN = 5
LEAST_RUNS_EACH_SECOND = 1.5
LEAST_DURATION = 40.0  # a shorter run may miss a fault or a construct
DROPPED = re.compile(r"is not ours any more; this attempt is dropped")
SCHEDULED = ("chaos-tick", "chaos-on", "chaos-child")


@dataclass
class Result:
    """All figures of one run; JSON from top to bottom."""

    seed: int
    duration: float
    pause: float
    skew: float
    calm: bool
    mutant: str
    runs: int
    steps: int
    audit_events: int
    states: dict[str, int]
    constructs: dict[str, int]
    faults: dict[str, int]
    cut_commits: dict[str, int]
    commits: int
    fenced_zombies: int
    reclaims: int
    deliveries: dict[str, float]
    recovery: dict[str, list[float]]
    answers: dict[str, int]
    drain_seconds: float
    unclean: list[str]
    violations: dict[str, list[str]] = field(default_factory=dict)
    too_little: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 when every promise was kept, 1 when not, 2 when too little happened to say so."""
        return 1 if self.violations else 2 if self.too_little else 0

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return asdict(self)


def result(
    options: Options, evidence: Evidence, faults: Faults, recovery: Recovery, logs: Path, drained: float
) -> Result:
    """Gather the figures."""
    arena = faults.arena
    keys = len(evidence.arrived) or 1
    kills = [seconds for whom, found in recovery.after_kill.items() for seconds in found if whom != "frozen cluster"]
    measured = {"kill": kills, **recovery.after_kill, "database restart": recovery.after_restart}
    return Result(
        seed=options.seed,
        duration=options.duration,
        pause=options.pause,
        skew=options.skew,
        calm=options.calm,
        mutant=options.mutant,
        runs=len(evidence.runs),
        steps=len(evidence.steps),
        audit_events=len(evidence.told),
        states=dict(Counter(run.state for run in evidence.runs)),
        constructs=dict(Counter(run.name for run in evidence.runs if run.state != "pending")),
        faults=dict(faults.counts),
        cut_commits=dict(arena.proxy.cuts),
        commits=arena.proxy.commits,
        fenced_zombies=sum(len(DROPPED.findall(log.read_text())) for log in sorted(logs.glob("cluster-*.log"))),
        reclaims=sum(step.crashes for step in evidence.steps),
        deliveries={
            "keys": len(evidence.arrived),
            "all": len(evidence.deliveries),
            "per key": round(len(evidence.deliveries) / keys, 3),
            "stale, refused by the sink": sum(found.status == 409 for found in evidence.deliveries),
            "mails": len(evidence.mails),
        },
        recovery={name: [round(seconds, 2) for seconds in found] for name, found in measured.items() if found},
        answers={str(status): count for status, count in sorted(evidence.view.statuses.items())},
        drain_seconds=round(drained, 1),
        unclean=arena.unclean,
    )


def too_little(found: Result, wanted_faults: Counter[str]) -> Iterator[str]:
    """Say what has to happen before silence means anything."""
    if found.runs < LEAST_RUNS_EACH_SECOND * found.duration:
        yield f"only {found.runs} runs in {found.duration:.0f} s"
    for name in (*CONSTRUCTS, *SCHEDULED):
        if found.duration >= LEAST_DURATION and not found.constructs.get(name):
            yield f"no run of {name}"
    for kind in wanted_faults:
        if found.duration >= LEAST_DURATION and not found.faults.get(kind):
            yield f"no fault of the kind: {kind}"
    wanted = {kind.split()[-1] for kind in wanted_faults if kind.startswith("cut commit")}
    if found.duration >= LEAST_DURATION and not wanted <= found.cut_commits.keys():
        yield f"commits cut: {found.cut_commits}"


def table(found: Result) -> str:
    """Return the report for people."""
    faults = sum(found.faults.values())
    lines = [
        f"seed {found.seed}, {found.duration:.0f} s{_more(found)}, drained in {found.drain_seconds} s",
        f"runs                {found.runs} ({_list(found.states)})",
        f"steps               {found.steps}, audit events {found.audit_events}",
        f"constructs          {_list(found.constructs)}",
        f"faults              {faults} ({_list(found.faults)})",
        f"commits cut         {sum(found.cut_commits.values())} of {found.commits} ({_list(found.cut_commits)})",
        f"fenced zombies      {found.fenced_zombies}",
        f"re-claims           {found.reclaims}",
        f"deliveries          {_list(found.deliveries)}",
        f"answers to clients  {_list(found.answers)}  (0: none)",
    ]
    for name, seconds in found.recovery.items():
        lines.append(f"recovery in s       after {name}: {_list(percentiles(seconds))}")
    lines.append(f"violations          {sum(map(len, found.violations.values()))}")
    for title, violations in found.violations.items():
        lines += [f"  VIOLATED ({len(violations)}): {title}", *(f"    {line}" for line in violations[:SHOWN])]
    lines += [f"  TOO LITTLE: {line}" for line in found.too_little]
    return "\n".join(lines)


def _more(found: Result) -> str:
    return (", calm" if found.calm else "") + (f", mutant {found.mutant}" if found.mutant else "")


def _list(found: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in found.items())


def percentiles(found: list[float]) -> dict[str, float]:
    """Return how many there are, and three of them."""
    ordered = sorted(found)
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {"n": len(ordered), **{name: ordered[round(share * (len(ordered) - 1))] for name, share in at.items()}}
