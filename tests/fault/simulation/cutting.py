"""What ends, is held or wakes because of one checkpoint or one command, as in cutting.py, family.py and wake.py."""

from collections.abc import Iterable

from tests.fault.simulation.rows import RESTING, STOPPED, Database, Run, Step
from workflows.states import RUN_FINAL

LATE = "#late"


def cut(db: Database, step: Step) -> None:
    """Cancel a step whose task was left; one that runs finds out when it reports. What it began ends with it."""
    if step.state in RESTING:
        db.move(step, "cancelled")
    end_begun(db, step)


def end_begun(db: Database, step: Step) -> None:
    """End what a step had begun: branches of a fork, runs."""
    for branch in [b for b in db.open_branches(step.run) if b.join == step.id]:
        db.close(branch)
        cancel(db, [inside for inside in db.open_steps(step.run) if inside.branch == branch.id])
    if "orphan" not in db.bugs:
        for child in [run for run in db.children(step.id) if run.state not in RUN_FINAL]:
            end_family(db, child)


def cancel(db: Database, steps: Iterable[Step]) -> None:
    """Cancel the steps that nobody executes; what a running one has begun ends too."""
    steps = list(steps)
    for step in steps:
        cut(db, step)
    late_cancelled(db, steps)


def late_cancelled(db: Database, steps: Iterable[Step]) -> None:
    """Record again what steps were to undo for which no scope waits: it is not undone, and people see that."""
    late = {step.id for step in steps if step.key.endswith(LATE) and step.state == "cancelled"}
    for undo in db.undos.values():
        if undo.step in late and undo.state == "running":
            undo.state, undo.step = "recorded", None


def end_others(db: Database, run: Run) -> None:
    """End everything else in a run that has completed."""
    for branch in db.open_branches(run.id):
        db.close(branch)
    cancel(db, [step for step in db.open_steps(run.id) if step.state in (*RESTING, "running")])


def end_family(db: Database, run: Run) -> None:
    """Cancel a run and the open runs below it, as operators do."""
    for member in family(db, run):
        end_steps(db, member)
        db.run_becomes(member, "cancelled")
        for branch in db.open_branches(member.id):
            db.close(branch)


def end_steps(db: Database, run: Run) -> None:
    """Cancel the steps of a run that nobody executes."""
    idle = [step for step in db.open_steps(run.id) if step.state in (*RESTING, "failed")]
    for step in idle:
        db.move(step, "cancelled")
    late_cancelled(db, idle)


def family(db: Database, run: Run) -> list[Run]:
    """Return a run and the open runs that steps of it still wait for, each after its parent."""
    found = [run]
    for member in found:  # it grows on the way
        steps = {step.id for step in db.open_steps(member.id)}
        found += [child for child in db.runs.values() if child.parent_step in steps and child.state not in RUN_FINAL]
    return found


def hold(db: Database, run: Run) -> None:
    """Take everything that rests in a run out of the queue."""
    for step in db.open_steps(run.id):
        if step.state in ("ready", "waiting") and not db.locked(step.id):
            db.move(step, "held")


def wake(db: Database, step: Step) -> None:
    """Let a step look again at what it waits for."""
    if step.state not in (*RESTING, "running"):
        return
    step.wake, step.due = step.wake + 1, db.now
    if step.state == "waiting":
        db.move(step, "held" if db.runs[step.run].state in STOPPED else "ready")


def wake_parent(db: Database, run: Run) -> None:
    """Let the step that started a run look at how it ended."""
    if run.parent_step is None:
        return
    step = db.steps[run.parent_step]
    if "lost-child-end" not in db.bugs:
        wake(db, step)
    elif step.state == "waiting":
        db.move(step, "ready")
