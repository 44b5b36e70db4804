"""Every run has ended or rests visibly, nothing of an ended run is open, and what is failed is a dead letter."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tests.chaos.evidence import Evidence, Run

FINAL = ("succeeded", "cancelled")
OPEN = ("ready", "running", "waiting", "held")
FAILS = ("chaos-doomed",)
CHILDREN: dict[str, Callable[[Any], int]] = {"chaos-parent": lambda _: 1, "chaos-map": lambda given: given["items"]}


def every_run_ends_or_is_a_dead_letter(evidence: Evidence) -> Iterator[str]:
    for run in evidence.runs:
        if run.state not in (*FINAL, "failed"):
            steps = Counter(f"{step.kind} {step.state}" for step in evidence.steps_of.get(run.id, []))
            yield f"{run.name} {run.id} is {run.state} ({run.reason}): {dict(steps)}"


def an_ended_run_has_nothing_open(evidence: Evidence) -> Iterator[str]:
    ended = {run.id for run in evidence.runs if run.state in FINAL}
    for step in evidence.steps:
        if step.run in ended and step.state in OPEN:
            yield f"step {step.key} of the ended run {step.run} is {step.state}"
    for branch in evidence.branches:
        if branch.run in ended and branch.state == "open":
            yield f"branch {branch.id} of the ended run {branch.run} is open"
    for step in evidence.steps:
        if step.run in ended and step.id in evidence.subscribed:
            yield f"step {step.key} of the ended run {step.run} still listens"


def a_failed_run_is_a_dead_letter(evidence: Evidence) -> Iterator[str]:
    """Only what is made to fail fails, and it says at which step."""
    for run in evidence.runs:
        if run.state == "failed" and run.name not in FAILS:
            yield f"{run.name} {run.id} failed ({run.reason}): {run.error}"
        elif run.state == "failed" and not _parked(evidence, run):
            yield f"{run.name} {run.id} is failed, and none of its steps is"


def a_dead_letter_is_a_failed_run(evidence: Evidence) -> Iterator[str]:
    for step in evidence.steps:
        run = evidence.run.get(step.run)
        if step.state == "failed" and not step.caught and (run is None or run.state not in ("failed", "cancelled")):
            yield f"step {step.key} failed for good, and run {step.run} is {run and run.state}"


def no_lease_is_left(evidence: Evidence) -> Iterator[str]:
    for step in evidence.steps:
        if step.state == "running":
            yield f"step {step.key} of run {step.run} is leased until {step.lease_expires_at}"


def children_count_once(evidence: Evidence) -> Iterator[str]:
    for run in evidence.runs:
        if run.name not in CHILDREN or run.state != "succeeded":
            continue
        children = [child for step in evidence.steps_of[run.id] for child in evidence.children_of.get(step.id, [])]
        wanted = list(range(CHILDREN[run.name](run.input)))
        if sorted(child.parent_index for child in children) != wanted:
            yield f"{run.name} {run.id} wanted {len(wanted)} children, and has {len(children)}"
        for child in children:
            if child.state != "succeeded":
                yield f"child {child.id} of the succeeded run {run.id} is {child.state}"


def joins_count_every_branch(evidence: Evidence) -> Iterator[str]:
    """No fork of a run that succeeded still counts open branches."""
    for branch in evidence.branches:
        run = evidence.run.get(branch.run)
        if branch.open < 0 or (
            branch.open and run is not None and run.state == "succeeded" and run.name != "chaos-race"
        ):
            yield f"branch {branch.id} of run {branch.run} counts {branch.open} open branches"


def attempts_are_numbered_once(evidence: Evidence) -> Iterator[str]:
    for (step, number), count in Counter((row.step, row.number) for row in evidence.attempts).items():
        if count > 1:
            yield f"step {step} has attempt {number} {count} times"


def _parked(evidence: Evidence, run: Run) -> bool:
    return any(step.state == "failed" and not step.caught for step in evidence.steps_of.get(run.id, []))


INVARIANTS = (
    every_run_ends_or_is_a_dead_letter,
    an_ended_run_has_nothing_open,
    a_failed_run_is_a_dead_letter,
    a_dead_letter_is_a_failed_run,
    no_lease_is_left,
    children_count_once,
    joins_count_every_branch,
    attempts_are_numbered_once,
)
