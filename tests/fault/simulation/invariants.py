"""What must hold after every execution, read from the rows alone (guarantees §3.3)."""

from collections import Counter

from tests.fault.simulation import invariants_of_children, invariants_of_undo
from tests.fault.simulation.rows import UNDONE, Database
from tests.fault.simulation.scenarios import TRANSACTIONAL, Scenario
from tests.fault.simulation.undoing import effect_key
from workflows.states import RUN_FINAL


def broken(db: Database, scenario: Scenario, *, cancelled: bool, undone: bool) -> list[str]:
    """Return every promise that the rows break. `cancelled` and `undone`: somebody asked for it."""
    return [
        *_ended(db, scenario, cancelled, undone),
        *_transactional_effects(db),
        *_outside_effects(db),
        *_audit(db),
        *_mail(db),
        *_joins(db),
        *invariants_of_undo.broken(db, scenario),
        *invariants_of_children.broken(db),
    ]


def _ended(db: Database, scenario: Scenario, cancelled: bool, undone: bool) -> list[str]:
    wrong, run = [], db.run
    ends = {("succeeded", "")} | ({("cancelled", "")} if cancelled else set())
    ends |= {("cancelled", UNDONE)} if undone else set()
    ends |= {("failed", UNDONE)} if scenario.on_fault == "undo" else set()
    if (run.state, run.reason) not in ends:
        wrong.append(f"the run is {run.state} {run.reason}")
    right = scenario.right([message.event for message in db.messages])
    if run.state == "succeeded" and run.output not in right:
        wrong.append(f"the output is {run.output!r}")
    wrong += [f"{step.key} is {step.state} in a run that ended" for step in db.open.values()]
    over = {run.id for run in db.runs.values() if run.state in RUN_FINAL}
    return wrong + [f"branch {b.id} is open" for b in db.branches.values() if b.state != "closed" and b.run in over]


def _transactional_effects(db: Database) -> list[str]:
    """Exactly once, for each step that succeeded and for no other."""
    found = Counter(db.ledger)
    steps = [s for s in db.steps.values() if s.function == TRANSACTIONAL and s.state == "succeeded"]
    done = {(s.run, s.key) for s in steps}
    wrong = [f"the effect of {key} happened {count} times" for key, count in found.items() if count != 1]
    wrong += [f"the effect of {key} has no step that succeeded" for key in found.keys() - done]
    return wrong + [f"the effect of {key} is missing" for key in done - found.keys()]


def _outside_effects(db: Database) -> list[str]:
    """At least once, always under the same key."""
    steps = [s for s in db.steps.values() if s.function == "outside" and s.state == "succeeded"]
    return [f"{s.key} was never sent" for s in steps if (s.run, effect_key(s.key), s.function) not in db.sink]


def _audit(db: Database) -> list[str]:
    """Gap-free per branch; each step ends once, by the claim that held it."""
    wrong = []
    for branch in db.branches.values():
        if [number for number, *_ in branch.links] != list(range(1, len(branch.links) + 1)):
            wrong.append(f"the audit chain of branch {branch.id} has a gap or a fork")
    ends = [(step, claim) for b in db.branches.values() for _, kind, step, claim in b.links if kind == "step.succeeded"]
    wrong += [f"{db.steps[i].key} ended {n} times" for i, n in Counter(i for i, _ in ends).items() if n > 1]
    return wrong + [f"{db.steps[i].key} was ended by a late worker" for i, claim in ends if claim != db.steps[i].claim]


def _mail(db: Database) -> list[str]:
    """Each event once, however often it was sent."""
    found = Counter(message.event["id"] for message in db.messages)
    return [f"event {name} was taken in {count} times" for name, count in found.items() if count > 1]


def _joins(db: Database) -> list[str]:
    """The end of each branch of a fork counts once."""
    return [f"the end of branch {b.id} was counted {b.counted} times" for b in db.branches.values() if b.counted > 1]
