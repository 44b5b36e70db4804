"""The programs that are simulated: real documents, and what may come of them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from tests.fault.simulation import families, programs, sagas
from workflows.engine.faults import fault
from workflows.engine.services import Facts
from workflows.expressions import paths
from workflows.expressions.errors import ExpressionError
from workflows.language import loader, program
from workflows.language.program import Program

HEAD = "document: {dsl: 1.0.3, namespace: t, name: t, version: 1.0.0, metadata: {dotdo: {onFault: %s}}}\n"
Event = Mapping[str, Any]
TRANSACTIONAL = "ledger"
FUNCTIONS = (TRANSACTIONAL, "outside", "declines", "refuses", "saga.compensate", "map")
UNDONE_CHILD = "undone"
LOCK: Mapping[str, str] = {
    **{name: f"{name}:1.0.0" for name in FUNCTIONS},
    **{f"workflow:t/{name}:1.0.0": "1.0.0" for name in ("child", "parent", "failing", UNDONE_CHILD)},
}
CHILDREN: Mapping[str, tuple[str, str]] = {
    "child": (families.CHILD, "park"),
    "parent": (families.RUN, "park"),
    "failing": (families.FAILING_CHILD, "park"),
    UNDONE_CHILD: (families.FAILING_CHILD, "undo"),
}
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
LATER_ATTEMPT = re.compile(r"@(?:[2-9]|\d\d+)/try")


class PathServices:
    """What the engine needs, in this process: expressions are plain paths, nothing is too large, no chance."""

    def evaluate(self, expression: str, dot: Any, variables: Mapping[str, Any]) -> Any:
        compiled = paths.parse(expression)
        if compiled is None:
            raise fault("expression", "not a plain path", expression)
        try:
            return compiled(dot, variables)
        except ExpressionError as error:
            raise fault("expression", str(error), expression) from None

    def problems(self, schema: Mapping[str, Any] | bool, value: Any) -> list[str]:
        return []

    def unfit(self, value: Any) -> str:
        return ""

    def secrets(self, names: Any) -> Mapping[str, Any]:
        return {}

    def random(self) -> float:
        return 0.5


SERVICES = PathServices()


@dataclass(frozen=True)
class Scenario:
    """`right` gives the outputs that are right, from the delivered events; `events` come from outside at any moment.

    `undone`: when it ends by itself, all that can be undone is. `undoable`: how likely people ask for that.
    """

    name: str
    text: str
    right: Callable[[list[Event]], list[Any]]
    input: Any = None
    events: tuple[Event, ...] = ()
    undone: bool = False
    undoable: float = 0.0
    on_fault: str = "park"

    def facts(self, run: int, given: Any, *, stopped: bool) -> Facts:
        """Return what the engine is told of a run."""
        return Facts(f"run-{run}", given, BEGAN, stopped=stopped)

    def program(self, name: str) -> Program:
        """Return a program by the name of its workflow, built once."""
        return _built(*CHILDREN[name]) if name else _built(self.text, self.on_fault)


def declines(function: str, key: str) -> bool:
    """Tell whether a function says no: one always, one in the first attempt of the tries around it."""
    return function == "refuses" or (function == "declines" and LATER_ATTEMPT.search(key) is None)


@lru_cache
def _built(text: str, on_fault: str) -> Program:
    return program.build(loader.load(HEAD % on_fault + text), LOCK)


def _one_of(*outputs: Any) -> Callable[[list[Event]], list[Any]]:
    return lambda _: list(outputs)


def _paid_and_sent(events: list[Event]) -> list[Any]:
    return [[event["data"] for event in events if event["type"] != "other"]]


def _items_until_end(events: list[Event]) -> list[Any]:
    """In the order of delivery, each once, none behind the end."""
    kinds = [event["type"] for event in events]
    return [[{"n": event["data"]} for event in events[: kinds.index("end")]] if "end" in kinds else None]


def _event(number: int, kind: str, data: Any = None) -> Event:
    return {"id": f"e{number}", "type": kind, "source": "/t", "data": data}


PAID, SENT = (_event(1, "paid", 1), _event(2, "other"), _event(3, "sent", 2)), (_event(1, "paid", 1),)
STREAM = (*(_event(n, "item", n) for n in (1, 2, 3)), _event(4, "end"))
DONE, UNDONE, PAYED = {"how": "done"}, {"how": "undone"}, {"how": "paid"}
ITEMS = [{"n": 1}, {"n": 2}, {"n": 3}]

SCENARIOS = (
    Scenario("sequence", programs.SEQUENCE, _one_of({"n": 7, "charged": 7}), {"n": 7}),
    Scenario("loop", programs.LOOP, _one_of({"n": 9}), {"items": [3, 2, 1]}),
    Scenario("retry", programs.RETRY, _one_of({"n": 3})),
    Scenario("fork", programs.FORK, _one_of([{"n": 2}, {"n": 3}, [{"n": 4}, {"n": 5}]])),
    Scenario("race", programs.RACE, _one_of({"won": "slow"}, {"won": "quick"})),
    Scenario("fault", programs.FAULT, _one_of({"how": "caught"})),
    Scenario("end", programs.END, _one_of("ended")),
    Scenario("listen", programs.LISTEN, _paid_and_sent, None, PAID),
    Scenario("callback", programs.CALLBACK, _one_of([1]), None, SENT),
    Scenario("stream", programs.STREAM, _items_until_end, None, STREAM),
    Scenario("timeout", programs.TIMEOUT, _one_of("fine", "late")),
    Scenario("undo", sagas.UNDO, _one_of(UNDONE), {"items": [1, 2]}, undone=True),
    Scenario("undo and retry", sagas.UNDO_RETRY, _one_of(PAYED)),
    Scenario("undo a fork", sagas.UNDO_FORK, _one_of(UNDONE), undone=True),
    Scenario("undo cut", sagas.UNDO_CUT, _one_of(UNDONE), undone=True),
    Scenario("compensate", sagas.COMPENSATE, _one_of(UNDONE), undone=True, undoable=0.6),
    Scenario("undo late", sagas.UNDO_LATE, _one_of(UNDONE), undone=True, undoable=0.3),
    Scenario("undo a race", sagas.UNDO_RACE, _one_of(UNDONE), undone=True, undoable=0.3),
    Scenario("undo repeated", sagas.UNDO_REPEATED, _one_of(UNDONE), undone=True),
    Scenario("undoable", sagas.UNDOABLE, _one_of(DONE), undoable=0.6),
    Scenario("on fault", sagas.ON_FAULT, _one_of(), on_fault="undo"),
    Scenario("stuck", sagas.STUCK, _one_of(), undoable=1.0),
    Scenario("run", families.RUN, _one_of({"n": 3})),
    Scenario("run beside", families.RUN_BESIDE, _one_of([{"n": 1}, {"n": 3}])),
    Scenario("run a race", families.RUN_RACE, _one_of({"n": 3}, {"n": 0})),
    Scenario("run timeout", families.RUN_TIMEOUT, _one_of({"n": 3}, {"n": 0})),
    Scenario("run too late", families.RUN_TOO_LATE, _one_of({"n": 3}, {"n": 0})),
    Scenario("run fault", families.RUN_FAULT, _one_of(UNDONE), undone=True),
    Scenario("run undone", families.RUN_UNDONE, _one_of(UNDONE)),
    Scenario("run undoable", families.RUN_UNDOABLE, _one_of(DONE), undoable=0.6),
    Scenario("map", families.MAP, _one_of(ITEMS), {"items": ITEMS}),
)
