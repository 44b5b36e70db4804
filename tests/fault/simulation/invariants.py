"""What must hold after every execution, read from the rows alone (guarantees §3.3)."""

from collections import Counter

from tests.fault.simulation.rows import Database
from tests.fault.simulation.scenarios import Scenario
from tests.fault.simulation.worker import TRANSACTIONAL


def broken(db: Database, scenario: Scenario, *, cancelled: bool) -> list[str]:
    """Return every promise that the rows break."""
    return [
        *_ended(db, scenario, cancelled),
        *_transactional_effects(db),
        *_outside_effects(db),
        *_audit(db),
        *_mail(db),
    ]


def _ended(db: Database, scenario: Scenario, cancelled: bool) -> list[str]:
    wrong = []
    if db.run.state not in ("succeeded", "cancelled") or (db.run.state == "cancelled" and not cancelled):
        wrong.append(f"the run is {db.run.state}")
    right = scenario.right([message.event for message in db.messages])
    if db.run.state == "succeeded" and db.run.output not in right:
        wrong.append(f"the output is {db.run.output!r}")
    wrong += [f"{step.key} is {step.state} in a run that ended" for step in db.open.values()]
    return wrong + [f"branch {branch.id} is open" for branch in db.branches.values() if branch.state != "closed"]


def _transactional_effects(db: Database) -> list[str]:
    """Exactly once, for each step that succeeded and for no other."""
    found = Counter(db.ledger)
    done = {s.key for s in db.steps.values() if s.function == TRANSACTIONAL and s.state == "succeeded"}
    wrong = [f"the effect of {key} happened {count} times" for key, count in found.items() if count != 1]
    wrong += [f"the effect of {key} has no step that succeeded" for key in found.keys() - done]
    return wrong + [f"the effect of {key} is missing" for key in done - found.keys()]


def _outside_effects(db: Database) -> list[str]:
    """At least once, always under the same key."""
    done = {s.key for s in db.steps.values() if s.function == "outside" and s.state == "succeeded"}
    return [f"{key} was never sent" for key in done if f"{key} outside" not in db.sink and "@" not in key]


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
