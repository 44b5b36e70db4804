"""The programs that are simulated: real documents, small enough to be played twenty thousand times."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any

from workflows.engine.faults import fault
from workflows.engine.services import Facts
from workflows.expressions import paths
from workflows.language import loader, program
from workflows.language.program import Program

HEAD = "document: {dsl: 1.0.3, namespace: t, name: t, version: 1.0.0}\n"
Event = Mapping[str, Any]
FUNCTIONS = ("ledger", "outside", "declines")


class PathServices:
    """What the engine needs, in this process: expressions are plain paths, nothing is too large, no chance."""

    def evaluate(self, expression: str, dot: Any, variables: Mapping[str, Any]) -> Any:
        compiled = paths.parse(expression)
        if compiled is None:
            raise fault("expression", "not a plain path", expression)
        return compiled(dot, variables)

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
    """`right` gives the outputs that are right, from the delivered events; `events` come from outside at any moment."""

    name: str
    text: str
    right: Callable[[list[Event]], list[Any]]
    input: Any = None
    events: tuple[Event, ...] = ()

    @cached_property
    def facts(self) -> Facts:
        """Return what the engine is told of a run that goes on."""
        return Facts("run-1", self.input, datetime(2026, 1, 1, tzinfo=UTC))

    @cached_property
    def stopped(self) -> Facts:
        """Return what the engine is told of a run that is parked or suspended."""
        return replace(self.facts, stopped=True)

    @property
    def program(self) -> Program:
        """Return the program, built once."""
        return _built(self.text)


@lru_cache
def _built(text: str) -> Program:
    return program.build(loader.load(HEAD + text), {name: f"{name}:1.0.0" for name in FUNCTIONS})


SEQUENCE = """
do:
  - book: {call: ledger, with: {n: "${ .n }"}}
  - charge: {call: outside, with: {n: "${ .n }"}, export: {as: {charged: "${ .n }"}}}
  - pause: {wait: {seconds: 20}}
  - note: {call: ledger, with: {n: "${ $context.charged }"}}
  - last: {set: {n: "${ .n }", charged: "${ $context.charged }"}}
"""
LOOP = """
do:
  - each:
      for: {in: .items}
      do:
        - book: {call: ledger, with: {n: "${ $item }", at: "${ $index }"}}
        - charge: {call: outside, with: {n: "${ $item }"}}
  - check: {switch: [{once: {when: "$context.again // false", then: end}}]}
  - again: {set: {items: [9]}, export: {as: {again: true}}, then: each}
"""
RETRY = """
do:
  - attempt:
      try:
        - book: {call: ledger, with: {n: 1}}
        - charge: {call: declines, with: {n: 2}}
        - note: {call: ledger, with: {n: 3}}
      catch:
        errors: {with: {status: 402}}
        retry: {delay: {seconds: 15}, limit: {attempt: {count: 3}}}
  - last: {set: {n: "${ .n }"}}
"""
FORK = """
do:
  - both:
      fork:
        branches:
          - left:
              do:
                - book: {call: ledger, with: {n: 1}}
                - pause: {wait: {seconds: 9}}
                - send: {call: outside, with: {n: 2}}
          - right: {call: outside, with: {n: 3}}
          - inner:
              fork:
                branches:
                  - a: {call: ledger, with: {n: 4}}
                  - b: {call: ledger, with: {n: 5}}
  - last: {call: ledger, with: {n: 6}, output: {as: "$input"}}
"""
RACE = """
do:
  - first:
      fork:
        compete: true
        branches:
          - slow: {do: [{pause: {wait: {seconds: 12}}}, {book: {call: ledger, with: {won: slow}}}]}
          - quick: {call: outside, with: {won: quick}}
  - last: {call: ledger, with: {won: "${ .won }"}}
"""
FAULT = """
do:
  - guarded:
      try:
        - both:
            fork:
              branches:
                - left: {do: [{book: {call: ledger, with: {n: 1}}}, {no: {call: declines, with: {n: 2}}}]}
                - right: {do: [{send: {call: outside, with: {n: 3}}}, {note: {call: ledger, with: {n: 4}}}]}
      catch: {errors: {with: {status: 402}}, do: [{late: {call: ledger, with: {how: caught}}}]}
  - last: {call: ledger, with: {how: "${ .how }"}}
"""
END = """
do:
  - both:
      fork:
        branches:
          - left: {do: [{book: {call: ledger, with: {n: 1}}}, {stop: {set: ended, then: end}}]}
          - right: {do: [{pause: {wait: {seconds: 15}}}, {stop: {set: ended, then: end}}]}
"""
LISTEN = """
do:
  - begin: {call: ledger, with: {n: 1}}
  - both: {listen: {to: {all: [{with: {type: paid}}, {with: {type: sent}}]}}}
  - note: {call: ledger, with: {n: 2}, output: {as: "$input"}}
"""
CALLBACK = """
do:
  - ask: {call: outside, with: {n: 1}}
  - answer: {listen: {to: {one: {with: {type: paid}}}}}
"""
STREAM = """
do:
  - each:
      listen: {to: {any: [{with: {type: item}}], until: {one: {with: {type: end}}}}}
      foreach: {do: [{book: {call: ledger, with: {n: "${ $item }"}}}]}
"""
TIMEOUT = """
do:
  - guarded:
      try:
        - block:
            timeout: {after: {seconds: 25}}
            do:
              - book: {call: ledger, with: {n: 1}}
              - pause: {wait: {seconds: 20}}
              - charge: {call: outside, with: {n: 2}}
              - both: {fork: {branches: [{a: {call: ledger, with: {n: 3}}}, {b: {wait: {seconds: 4}}}]}}
              - fine: {set: fine}
      catch:
        errors: {with: {status: 408}}
        do: [{late: {set: late}}]
  - last: {call: ledger, with: {how: "${ . }"}, output: {as: .how}}
"""


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


SCENARIOS = (
    Scenario("sequence", SEQUENCE, _one_of({"n": 7, "charged": 7}), {"n": 7}),
    Scenario("loop", LOOP, _one_of({"n": 9}), {"items": [3, 2, 1]}),
    Scenario("retry", RETRY, _one_of({"n": 3})),
    Scenario("fork", FORK, _one_of([{"n": 2}, {"n": 3}, [{"n": 4}, {"n": 5}]])),
    Scenario("race", RACE, _one_of({"won": "slow"}, {"won": "quick"})),
    Scenario("fault", FAULT, _one_of({"how": "caught"})),
    Scenario("end", END, _one_of("ended")),
    Scenario("listen", LISTEN, _paid_and_sent, None, (_event(1, "paid", 1), _event(2, "other"), _event(3, "sent", 2))),
    Scenario("callback", CALLBACK, _one_of([1]), None, (_event(1, "paid", 1),)),
    Scenario("stream", STREAM, _items_until_end, None, (*(_event(n, "item", n) for n in (1, 2, 3)), _event(4, "end"))),
    Scenario("timeout", TIMEOUT, _one_of("fine", "late")),
)
