"""What must hold of undoing: what was done is undone once, the last one first."""

from collections import Counter
from collections.abc import Iterator

from tests.fault.simulation.cutting import LATE
from tests.fault.simulation.rows import UNDONE, Database, Step, Undo
from tests.fault.simulation.scenarios import TRANSACTIONAL, UNDONE_CHILD, Scenario
from tests.fault.simulation.undoing import KEY, effect_key


def broken(db: Database, scenario: Scenario) -> list[str]:
    """Return every promise about undoing that the rows break."""
    return [
        *_of_what_was_done(db),
        *_once(db),
        *_under_one_key(db),
        *_as_the_rows_say(db),
        *_all(db, scenario),
        *_in_reverse_order(db),
        *_late_effects_are_known(db),
    ]


def _of_what_was_done(db: Database) -> list[str]:
    """What is undone was done: in a step that succeeded, or by a call that came too late."""
    came = {step for b in db.branches.values() for _, kind, step, _ in b.links if kind == "step.superseded"}
    calls = [(undo, db.by_key.get((undo.run, undone_key(undo)))) for undo in _undoing(db)]
    return [
        f"{undo.key} undoes what was not done"
        for undo, call in calls
        if call is None or not (call.state == "succeeded" or call.id in came)
    ]


def _once(db: Database) -> list[str]:
    """A transactional effect is undone once at most, whatever happened on the way."""
    found = Counter((run, _base(key)) for run, key in db.ledger if _base(key) != key)
    return [f"the effect of {key} was undone {count} times" for (_, key), count in found.items() if count > 1]


def _under_one_key(db: Database) -> list[str]:
    """Whatever is sent to undo an effect has the same idempotency key."""
    keys = Counter((run, _base(key)) for run, key, _ in db.sink if _base(key) != key)
    return [f"{key} was undone under {count} keys" for (_, key), count in keys.items() if count > 1]


def _as_the_rows_say(db: Database) -> list[str]:
    """What a row says to be done, or open, is."""
    ledger = {(run, _base(key)) for run, key in db.ledger if _base(key) != key}
    wrong = []
    for row in db.undos.values():
        outside = (row.run, effect_key(row.key) + KEY, row.function) in db.sink
        happened = (row.run, row.key) in ledger if row.function == TRANSACTIONAL else outside
        if row.state == "done" and not happened:
            wrong.append(f"{row.key} is said to be undone")
        if row.state == "recorded" and happened and row.function == TRANSACTIONAL:
            wrong.append(f"{row.key} is undone, and its row does not say so")
    return wrong


def _all(db: Database, scenario: Scenario) -> list[str]:
    """All is undone in a run that was undone; what came too late for one that undid it itself is left to people."""
    ended_so = db.run.reason == UNDONE or (scenario.undone and db.run.state == "succeeded")
    runs = {db.run.id} if ended_so else set()
    runs |= {run.id for run in db.runs.values() if run.program == UNDONE_CHILD and db.run.state == "succeeded"}
    left = [row for row in db.undos.values() if row.run in runs and row.state != "done"]
    left = [row for row in left if db.runs[row.run].reason == UNDONE or not _was_late(db, row)]
    return [f"{row.key} is not undone but {row.state}" for row in left]


def _in_reverse_order(db: Database) -> list[str]:
    """In a branch, nothing is undone while something later is done and not undone."""
    calls = [(call, undo) for undo in _undoing(db) if (call := _call(db, undo)) and not undo.key.endswith(LATE)]
    return [
        f"{one.key} was undone before {two.key}"
        for one, undo_one in calls
        for two, undo_two in calls
        if one.branch == two.branch and one.ended < two.ended < undo_one.ended < undo_two.ended
    ]


def _late_effects_are_known(db: Database) -> list[str]:
    """What a worker saw done, and then saw that nobody waits for it, is kept."""
    closed = [(s, claim) for b in db.branches.values() for _, kind, s, claim in b.links if kind == "step.cancelled"]
    return [f"the effect of {db.steps[step].key} is forgotten" for step, claim in closed if (step, claim) in db.seen]


def undone_key(step: Step) -> str:
    """Return the key of the call that a step undoes."""
    return _base(step.key)


def _undoing(db: Database) -> Iterator[Step]:
    return (s for s in db.steps.values() if s.kind == "undo" and s.function and s.state == "succeeded")


def _call(db: Database, undo: Step) -> Step | None:
    call = db.by_key.get((undo.run, undone_key(undo)))
    return call if call is not None and call.state == "succeeded" else None


def _was_late(db: Database, row: Undo) -> bool:
    return (row.run, row.key + LATE) in db.by_key


def _base(key: str) -> str:
    return key.split(KEY, maxsplit=1)[0].removesuffix(LATE)
