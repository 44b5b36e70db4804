"""The workflows of the stateful test: between them every kind of step that waits, forks, starts others or is undone."""

from collections.abc import Mapping
from dataclasses import dataclass

ORDER = """
do:
  - book:
      call: stateful-ledger
      with: {name: book}
      metadata: {dotdo: {undo: {call: stateful-ledger, with: {name: unbook}}}}
  - charge: {call: stateful-send, with: {name: charge}}
  - answer: {listen: {to: {one: {with: {type: paid}}}}}
  - pause: {wait: {hours: 1}}
  - note: {call: stateful-ledger, with: {name: note}}
"""
BRANCHES = """
do:
  - both:
      fork:
        branches:
          - left:
              call: stateful-ledger
              with: {name: left}
              metadata: {dotdo: {undo: {call: stateful-ledger, with: {name: unleft}}}}
          - right: {do: [{send: {call: stateful-send, with: {name: right}}}, {rest: {wait: {hours: 1}}}]}
          - third: {listen: {to: {any: [{with: {type: paid}}, {with: {type: sent}}]}}}
  - last: {call: stateful-ledger, with: {name: last}}
"""
FAMILY = """
do:
  - begin: {call: stateful-ledger, with: {name: begin}}
  - order: {run: {workflow: {namespace: tests, name: order, version: latest}}}
  - ask: {call: approval, with: {title: "Ok?"}}
  - last: {call: stateful-ledger, with: {name: last}}
"""
HOURLY = """
schedule: {every: PT1H}
do: [{tick: {call: stateful-ledger, with: {name: tick}}}]
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A document, the effects of a run that succeeds, and what takes one of them back."""

    text: str
    effects: frozenset[str]
    undos: Mapping[str, str]


PROGRAMS = {
    "order": Program(ORDER, frozenset({"book", "note"}), {"book": "unbook"}),
    "branches": Program(BRANCHES, frozenset({"left", "last"}), {"left": "unleft"}),
    "family": Program(FAMILY, frozenset({"begin", "last"}), {}),
    "hourly": Program(HOURLY, frozenset({"tick"}), {}),
}
STARTED_BY_PEOPLE = ("order", "branches", "family")
