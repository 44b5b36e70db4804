"""What must be true of the runs, kept beside the database without asking it: the oracle of the stateful test."""

import uuid
from collections import Counter
from dataclasses import dataclass, field

from tests.fault.stateful.programs import PROGRAMS
from tests.fault.stateful.world import StepRow, World

# What a person may do with a run, by its state; those that depend on more than the state are not said here.
ALLOWED = {
    "cancel": ("pending", "running", "waiting", "suspended", "failed"),
    "suspend": ("pending", "running", "waiting"),
    "resume": ("suspended",),
}
NEEDED = {"retry": ("failed",), "resolve": ("failed",), "undo": ("running", "waiting", "suspended", "failed")}


@dataclass
class Model:
    """`keys` and `fires` say which run was made for what; `committed` which effects are kept; `events` which were
    taken in, and for which runs; `skipped` the steps that a person passed over.
    """

    keys: dict[str, uuid.UUID] = field(default_factory=dict)
    fires: set[object] = field(default_factory=set)
    committed: Counter[tuple[uuid.UUID, str]] = field(default_factory=Counter)
    events: set[str] = field(default_factory=set)
    skipped: set[tuple[uuid.UUID, str]] = field(default_factory=set)

    def may_commit(self, step: StepRow, world: World, *, on: bool) -> set[tuple[uuid.UUID, str]]:
        """Return the effects that may come of executing a step; `on`: and of those behind it in its run."""
        program = PROGRAMS[world.runs[step.run].name]
        names = {program.undos.get(step.name, "") if step.kind == "undo" else step.name} - {""}
        if on:
            names = set(program.effects) | set(program.undos.values())
        return {(step.run, name) for name in names} - set(self.committed)

    def commit(self, world: World, allowed: set[tuple[uuid.UUID, str]]) -> None:
        """Take over what a rule has committed, if it was allowed to."""
        new = world.effects - self.committed
        lost = self.committed - world.effects
        assert not lost, f"effects are gone: {sorted(lost)}"
        assert set(new) <= allowed, f"effects that nobody may have: {sorted(set(new) - allowed)}"
        assert all(count == 1 for count in new.values()), f"effects that happened twice: {new}"
        self.committed = Counter(world.effects)

    def refuses(self, verb: str, state: str) -> bool:
        """Tell whether a command must be refused, whatever else is true of the run."""
        return state not in (ALLOWED.get(verb) or NEEDED[verb])

    def broken_end(self, world: World) -> list[str]:
        """Return what is wrong with runs that have all ended."""
        wrong = []
        for run in world.runs.values():
            program = PROGRAMS[run.name]
            done = {name for owner, name in self.committed if owner == run.id}
            skipped = {name for owner, name in self.skipped if owner == run.id}
            missing = program.effects - done - skipped
            if run.state == "succeeded" and missing:
                wrong.append(f"{run.name} succeeded without {sorted(missing)}")
            if run.reason == "undone":
                wrong += [f"{name} of {run.name} was not undone" for name, undo in program.undos.items()
                          if name in done and undo not in done | skipped]  # fmt: skip
            wrong += [f"{undo} of {run.name} undoes nothing" for name, undo in program.undos.items()
                      if undo in done and name not in done | skipped]  # fmt: skip
        return wrong


def moved_back(before: World, after: World) -> list[str]:
    """Return the counters that fell: claims, wakes and attempts of steps, revisions of branches, mail of runs."""
    wrong = [
        f"{step.name} fell from {(old.claim, old.wake, old.attempt)} to {(step.claim, step.wake, step.attempt)}"
        for number, old in before.steps.items()
        if (step := after.steps[number])
        and (step.claim < old.claim or step.wake < old.wake or step.attempt < old.attempt)
    ]
    wrong += [
        f"branch {number} fell from {old} to {after.revisions[number]}"
        for number, old in before.revisions.items()
        if after.revisions[number][0] < old[0] or after.revisions[number][1] < old[1]
    ]
    return wrong + [
        f"the mail of {run.name} fell"
        for number, run in before.runs.items()
        if after.runs[number].mail_seq < run.mail_seq
    ]


def broken_leases(world: World) -> list[str]:
    """Return the steps that are leased without running, or run without a lease."""
    return [
        f"{step.name} is {step.state}, its lease is {step.leased_by}"
        for step in world.steps.values()
        if (step.state == "running") != (step.leased_by is not None) or step.leased != (step.leased_by is not None)
    ]
