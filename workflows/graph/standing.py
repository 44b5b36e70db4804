"""Where a run stands in its definition: what its steps and its trail say of each task.

A task may have run often (iterations, visits, attempts of a try around it). The one that is shown failed, or else is
open, or else is the latest. Tasks that need nobody leave no step; the trail notes that they were passed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from workflows.graph.outline import Block, Node

MARKS = re.compile(r"(?:\[\d+\])?(?:@\w+)?(?=/|$)")
ROUND = re.compile(r"iteration (\d+) of (\d+)")
TRIED = re.compile(r"retry (\d+) in ")
FAILED, CAUGHT, UNDONE, SKIPPED, SUCCEEDED = "dead_letter", "caught", "undone", "skipped", "succeeded"
OPEN = ("running", "retrying", "waiting_person", "waiting_event", "waiting_child", "waiting", "pending", "held")
# Of several, the first of these that occurs stands for all.
WORST = (FAILED, *OPEN, "cancelled", SUCCEEDED, UNDONE, CAUGHT, SKIPPED)
QUIET = ("task", "timer", "join")
MOST_CELLS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMark:
    """What the graph needs of a step; they come in the order in which they began. `seconds`: how long it took."""

    id: UUID
    key: str
    ref: str
    kind: str
    function: str
    label: str
    attempts: int
    seconds: float | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the trail: the key of a task, and what was noted of it; nothing means that it was passed."""

    key: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What became of a task. No label: it was not reached. `cells` has a label for each round of a loop."""

    label: str = ""
    step: UUID | None = None
    times: int = 0
    attempts: int = 0
    seconds: float | None = None
    code: str = ""
    rounds: tuple[int, int] | None = None
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standings:
    """The tasks that were reached by their pointers, and how often a case of a switch was taken."""

    tasks: Mapping[str, Standing]
    taken: Mapping[tuple[str, str], int]

    def of(self, ref: str) -> Standing:
        """Return the standing of a task."""
        return self.tasks.get(ref, NOT_REACHED)


@dataclass
class _Noted:
    passed: int = 0
    skipped: int = 0
    tries: int = 1
    rounds: tuple[str, int, int] | None = None
    took: dict[str, int] = field(default_factory=lambda: defaultdict(int))


NOT_REACHED = Standing()


def ref_of(key: str) -> str:
    """Return the pointer of the task that a key stands for."""
    return MARKS.sub("", key)


def stand(block: Block, steps: Sequence[StepMark], notes: Iterable[Note]) -> Standings:
    """Lay steps and notes over the blocks of a definition."""
    by_ref: dict[str, list[StepMark]] = defaultdict(list)
    for step in steps:
        if step.kind not in QUIET and (step.kind not in ("start", "undo") or step.function):
            by_ref[step.ref].append(step)
    noted = _noted(notes)
    tasks = {ref: _of_steps(found) for ref, found in by_ref.items()}
    for node in walk(block):  # the innermost come first: groups are judged by what is in them
        found = _stands(node, tasks, noted.get(node.ref), steps)
        if found.label:
            tasks[node.ref] = found
    return Standings(tasks, {(ref, name): count for ref, each in noted.items() for name, count in each.took.items()})


def worst(labels: Iterable[str]) -> str:
    """Return the label that stands for several, empty if there is none."""
    found = set(labels)
    return next((label for label in WORST if label in found), "")


def walk(block: Block) -> Iterator[Node]:
    """Yield all tasks, those inside a task before it."""
    for node in block.nodes:
        for inside in blocks_of(node):
            yield from walk(inside)
        yield node


def blocks_of(node: Node) -> list[Block]:
    """Return the blocks directly inside a task."""
    return [each for each in (node.body, node.caught, *(lane.block for lane in node.lanes)) if each is not None]


def _noted(notes: Iterable[Note]) -> dict[str, _Noted]:
    found: dict[str, _Noted] = defaultdict(_Noted)
    for note in notes:
        task = found[ref_of(note.key)]
        if note.words == "skipped":
            task.skipped += 1
        elif note.words.startswith("took "):
            task.took[note.words[5:]] += 1
        elif (turn := ROUND.match(note.words)) is not None:
            task.rounds = (note.key, int(turn[1]), int(turn[2]))
        elif (again := TRIED.search(note.words)) is not None:
            task.tries = max(task.tries, int(again[1]) + 1)
        elif not note.words:
            task.passed += 1
    return found


def _of_steps(found: Sequence[StepMark]) -> Standing:
    done = [step for step in found if step.kind != "undo"]
    undoing = [step for step in found if step.kind == "undo"]
    if undoing and (undoing[-1].label != UNDONE or not done):
        shown = undoing[-1]
    else:
        label = worst(step.label for step in done)
        label = label if label == FAILED or label in OPEN else done[-1].label
        shown = next(step for step in reversed(done) if step.label == label)
    took = [step.seconds for step in done if step.seconds is not None]
    return Standing(
        label=UNDONE if undoing and shown in done else shown.label,
        step=shown.id,
        times=len(done),
        attempts=shown.attempts,
        seconds=sum(took) / len(took) if took else None,
        code=shown.code,
    )


def _stands(node: Node, tasks: Mapping[str, Standing], noted: _Noted | None, steps: Sequence[StepMark]) -> Standing:
    own = tasks.get(node.ref, NOT_REACHED)
    inside = [tasks[each.ref] for block in blocks_of(node) for each in block.nodes if each.ref in tasks]
    if node.kind == "switch":
        inside = []  # its columns are tasks beside it
    noted = noted or _Noted()
    label = worst([own.label, *(each.label for each in inside if each.label not in (SKIPPED, CAUGHT))])
    if not label and (noted.passed or noted.took or noted.rounds or inside):
        label = SUCCEEDED
    if not label and noted.skipped:
        label = SKIPPED
    return Standing(
        label=label,
        step=own.step,
        times=max(own.times, noted.passed + sum(noted.took.values()) if node.kind != "listen" else own.times),
        attempts=max(own.attempts, noted.tries if node.kind == "try" else 0),
        seconds=own.seconds,
        code=own.code,
        rounds=noted.rounds[1:] if noted.rounds else None,
        cells=_cells(noted, steps, label) if noted.rounds else (),
    )


def _cells(noted: _Noted, steps: Sequence[StepMark], label: str) -> tuple[str, ...]:
    """Return the label of each round of the latest loop; many rounds share a cell, whose label is the worst of them."""
    assert noted.rounds is not None  # noqa: S101 - for mypy
    key, current, count = noted.rounds
    found: dict[int, list[str]] = defaultdict(list)
    mark = f"{key}@"
    for step in steps:
        if step.key.startswith(mark) and step.kind not in QUIET:
            number = step.key[len(mark) :].partition("/")[0]
            found[int(number) if number.isdigit() else 0].append(step.label)
    quiet = dict.fromkeys(range(current if label == SUCCEEDED else current - 1), SUCCEEDED)
    labels = [worst([*found[number], quiet.get(number, "")]) for number in range(count)]
    size = -(-count // MOST_CELLS)
    return tuple(_together(labels[at : at + size]) for at in range(0, count, size))


def _together(labels: Sequence[str]) -> str:
    return worst(labels) if all(labels) or FAILED in labels else worst(set(labels) - {SUCCEEDED, ""})
