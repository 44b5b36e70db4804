"""What is to be undone next, and what was undone, as in compensating.py, superseding.py and operations/undoing.py."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.fault.simulation import cutting
from tests.fault.simulation.claims import Held
from tests.fault.simulation.cutting import LATE
from tests.fault.simulation.rows import Database, Run, Step, Undo
from workflows.engine.frames import place
from workflows.engine.messages import Advance, PushUndo
from workflows.states import RUN_FINAL

KEY = "#undo"
LEFT = ("recorded", "running")
REPEATED = re.compile(r"@(\d+)/try/")
UNDO = re.compile(r"#(undo(\[\d+\])?|late)$")


@dataclass(frozen=True, slots=True)
class Entry:
    """A compensation that is due. `recorded` is false while the checkpoint that begins it records it as well."""

    recorded: bool
    place: str
    key: str
    function: str
    input: Any
    begun: int = 0
    claim: int = 0

    @property
    def step_key(self) -> str:
        """Return the key of the step that undoes: a new one where an earlier one was cut off."""
        return f"{self.key}{KEY}" + (f"[{self.begun}]" if self.begun else "")


def effect_key(key: str) -> str:
    """Return the idempotency key: whatever undoes a call is the same effect."""
    return UNDO.sub(KEY, place(key))


def next_entry(db: Database, held: Held, scope: str, pending: Sequence[PushUndo] = ()) -> Entry | None:
    """Return the compensation of a scope that comes next; those that are about to be recorded are the newest."""
    for push in reversed(pending):
        if _inside(push.place, scope):
            return Entry(False, push.place, push.key, push.function, push.input)
    replaced = {push.place for push in pending}
    rows = [u for u in db.undos.values() if u.run == held.run and u.place not in replaced and _inside(u.place, scope)]
    rows = [u for u in rows if u.state == "recorded" or (u.state == "running" and _cut_off(db, held, u))]
    if not rows:
        return None
    first = "undo-in-order" in db.bugs
    row = min(rows, key=lambda u: u.number) if first else max(rows, key=lambda u: u.number)
    before = [s for s in db.steps.values() if s.run == held.run and s.key.startswith(f"{row.key}#")]
    before = [s for s in before if s.kind == "undo"]
    begun, last = sum(not s.key.endswith(LATE) for s in before), max((s.claim for s in before), default=0)
    return Entry(True, row.place, row.key, row.function, row.input, begun, last)


def beside(db: Database, held: Held) -> list[str]:
    """Return the keys of the other steps that undo in a branch and have not ended."""
    steps = [s for s in db.open_steps(held.run) if s.branch == held.branch and s.kind == "undo"]
    return [s.key for s in steps if s.id != held.step]


def record(db: Database, held: Held, pushed: Sequence[PushUndo]) -> None:
    """Record compensations; a try that runs again replaces what was recorded at the same place, as the newest."""
    for push in pushed:
        db.numbers += 1
        row = Undo(db.numbers, held.run, push.place, push.key, push.function, push.input)
        db.undos[held.run, push.place] = row


def begin(db: Database, held: Held, entry: Entry, step: Step) -> None:
    """Note which step undoes an entry."""
    row = db.undos[held.run, entry.place]
    if row.state in LEFT:
        row.state, row.step = "running", step.id


def done(db: Database, step: int) -> None:
    """Note that what a step was to undo is undone."""
    for row in db.undos.values():
        if row.step == step:
            row.state = "done"


def begin_all(db: Database, run: Run, ending: Mapping[str, Any]) -> None:
    """End everything that is open in a run, and let workers undo what it has done."""
    for child in cutting.family(db, run)[1:]:
        if child.state not in RUN_FINAL:
            cutting.end_family(db, child)
    cutting.end_steps(db, run)
    root, *others = db.open_branches(run.id)
    for branch in others:
        db.close(branch)
    root.cursor, root.open, root.revision = json.dumps({"frames": [], "ending": ending}), 0, root.revision + 1
    db.insert(root.id, KEY, "undo")
    db.run_becomes(run, "running")


def left(db: Database, run: Run) -> int:
    """Return how much is left to undo; nothing when an undo of the whole run was begun before."""
    if (run.id, KEY) in db.by_key:
        return 0
    return sum(row.run == run.id and row.state in LEFT for row in db.undos.values())


def keep(db: Database, held: Held, pushed: Sequence[PushUndo]) -> None:
    """Begin what undoes a call that had its effect although nobody waited for it any more."""
    if held.key.endswith(LATE):
        done(db, held.step)
        return
    root = next((b for b in db.open_branches(held.run) if b.parent is None), None)
    if db.runs[held.run].over or root is None:
        return
    has_an_owner = _is_owned(db, held) or _is_repeated(db, held)
    for push in pushed:
        if has_an_owner and (held.run, push.place) in db.undos:
            continue
        db.numbers += 1
        row = Undo(db.numbers, held.run, push.place, push.key, push.function, push.input)
        known = db.undos.setdefault((held.run, push.place), row)
        if has_an_owner:
            continue
        state = "held" if db.runs[held.run].state in ("failed", "suspended") else "ready"
        step = db.insert(root.id, push.key + LATE, "undo", state, function=push.function, input=push.input)
        db.undos[held.run, push.place] = replace(row, number=known.number, state="running", step=step.id)


def merged(before: Advance, after: Advance) -> Advance:
    """Return two advances that belong to one checkpoint as one."""
    armed = {timer.key for timer in before.armed}
    return replace(
        after,
        armed=[timer for timer in before.armed if timer.key not in after.dropped] + after.armed,
        dropped=before.dropped + [key for key in after.dropped if key not in armed],
        cut=before.cut + after.cut,
        undo=before.undo + after.undo,
    )


def _cut_off(db: Database, held: Held, row: Undo) -> bool:
    """Tell whether what undoes was cancelled, or runs in a branch below that is left."""
    if "undo-forgotten" in db.bugs:
        return False
    if "undo-twice" in db.bugs:
        return True
    assert row.step is not None
    step = db.steps[row.step]
    branch, frame = db.branches[step.branch], db.branches[held.branch].frame
    below = branch.frame.startswith(f"{frame}/") if frame else branch.parent is not None
    return step.state == "cancelled" or below


def _inside(where: str, scope: str) -> bool:
    return not scope or where.startswith((scope + "/", scope + "@"))


def _is_owned(db: Database, held: Held) -> bool:
    """Tell whether a later call at the same place succeeded or goes on."""
    later = [s for s in db.steps.values() if s.run == held.run and s.kind == "call" and s.id > held.step]
    return any(place(s.key) == place(held.key) for s in later if s.state not in ("failed", "cancelled"))


def _is_repeated(db: Database, held: Held) -> bool:
    """Tell whether a `try` around the call goes through its tasks again."""
    cursors = [json.loads(branch.cursor) for branch in db.open_branches(held.run)]
    frames = {f["key"]: f for cursor in cursors for f in cursor.get("frames", ()) if "block" in f}
    for found in REPEATED.finditer(held.key):
        frame = frames.get(held.key[: found.start()], {"out": None})
        again = frame.get("block") == "retry" or (frame.get("block") == "try" and frame["attempt"] > int(found[1]))
        if "out" not in frame and again:
            return True
    return False
