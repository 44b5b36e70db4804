"""What must hold of runs that a step has started."""

from collections import Counter

from tests.fault.simulation.rows import UNDONE, Database
from workflows.states import RUN_FINAL


def broken(db: Database) -> list[str]:
    """Return every promise about children that the rows break."""
    return [*_once(db), *_ended(db), *_none_outlives_its_step(db), *_outputs(db)]


def _once(db: Database) -> list[str]:
    found = Counter((run.parent_step, run.index) for run in db.runs.values() if run.parent_step is not None)
    return [f"child {index} of step {step} was started {n} times" for (step, index), n in found.items() if n > 1]


def _ended(db: Database) -> list[str]:
    runs = [run for run in db.runs.values() if run.parent_step is not None]
    return [f"child {run.id} is {run.state}" for run in runs if run.state not in RUN_FINAL and run.reason != UNDONE]


def _none_outlives_its_step(db: Database) -> list[str]:
    """A run whose parent went on without it has ended by then."""
    found = []
    for run in db.runs.values():
        step = db.steps[run.parent_step] if run.parent_step is not None else None
        if step is not None and run.ended > (step.ended or db.runs[step.run].ended):
            found.append(f"child {run.id} of {step.key} went on without it")
    return found


def _outputs(db: Database) -> list[str]:
    """A step that succeeded has the output of its children."""
    found = []
    for step in db.steps.values():
        if step.kind in ("run", "call") and step.state == "succeeded" and (children := list(db.children(step.id))):
            outputs = [run.output for run in sorted(children, key=lambda run: run.index)]
            if step.output != (outputs[0] if step.kind == "run" else outputs):
                found.append(f"{step.key} has the output {step.output!r}")
            if any(run.state != "succeeded" for run in children):
                found.append(f"{step.key} succeeded without its children")
    return found
