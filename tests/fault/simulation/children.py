"""What a step that starts runs finds when it looks at them, as in functions/children.py and functions/mapping.py."""

from dataclasses import dataclass
from typing import Any

from tests.fault.simulation.checkpoint import Child
from tests.fault.simulation.claims import Held
from tests.fault.simulation.rows import Database, Run
from workflows.states import RUN_FINAL

CANCELLED = {"type": "https://example.com/runtime", "status": 500, "title": "cancelled"}
STARTING = ("run", "map")
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Came:
    """What an attempt came to: `done` with a value, `declined` with an error, `again` later, or it `rests`."""

    what: str
    value: Any = None
    starts: tuple[Child, ...] = ()


def look(db: Database, held: Held) -> Came:
    """Return what becomes of a step that starts runs, as its runs are."""
    children = sorted(db.children(held.step), key=lambda run: run.index)
    return _map(held, children) if held.function == "map" else _run(held, children)


def _run(held: Held, children: list[Run]) -> Came:
    if not children:
        return Came("rests", starts=(Child(held.input["workflow"], held.input["input"], 0),))
    if children[0].state == "succeeded":
        return Came("done", children[0].output)
    return _failed(children[0]) or Came("rests")


def _map(held: Held, children: list[Run]) -> Came:
    """So many at a time; the first that failed ends it."""
    ordered = sorted(children, key=lambda run: run.state != "failed")
    failed = next(filter(None, map(_failed, ordered)), None)
    if failed is not None:
        return failed
    items, workflow = held.input["items"], held.input["workflow"]["name"]
    still_open = sum(run.state not in RUN_FINAL for run in children)
    begun = len(children)
    indexes = range(begun, min(len(items), begun + AT_ONCE - still_open))
    if indexes or still_open:
        return Came("rests", starts=tuple(Child(workflow, items[index], index) for index in indexes))
    return Came("done", [run.output for run in children])


def _failed(child: Run) -> Came | None:
    if child.state not in ("failed", "cancelled"):
        return None
    return Came("declined", child.error or CANCELLED)
