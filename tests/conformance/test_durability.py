"""Every case of the tables again, in worse conditions: workers that crash, messages that come twice, in another order.

The engine's driver crashes before every checkpoint as it is: it applies each message twice, to a cursor that went
through JSON. Here it also forgets everything else that a process knows, delivers what was applied once more, and
lets what happens at the same time happen in any order. The run must come to the same end.
"""

import itertools
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.conformance import pure
from tests.conformance.standin import Standin
from tests.conformance.tables import Case, cases
from tests.support.pure_engine import World
from tests.support.pure_rows import Line
from workflows.engine import messages as m
from workflows.engine.advance import Busy, Stale
from workflows.language import program

RUN = [case for case in cases() if "pure" in case.drivers and not case.refused]
ORDERS = range(5)


class Forgetful(World):
    """Its process ends after every checkpoint: only rows are left, and the program is read anew."""

    def _apply(self, line: Line, message: m.Message) -> m.Advance:
        run = line.run
        document, lock = json.loads(json.dumps([run.program.document, dict(run.program.lock)]))
        run.program = program.build(document, lock)
        return super()._apply(line, message)


class Doubling(World):
    """It delivers every message a second time, to the cursor that the first one left behind.

    Whether an event was taken is told by its row in the mailbox, not by the cursor: the same event may come twice.
    """

    def _send(self, line: Line, message: m.Message) -> None:
        before = line.cursor
        super()._send(line, message)
        ended = line.run.state != "running" or not line.open
        fenced = isinstance(message, m.Continue) and line.fork is None  # after a used-up budget: its step comes once
        if line.cursor != before and not ended and not fenced and not isinstance(message, m.Received | m.Start):
            self._refuses(line, message)

    def _refuses(self, line: Line, message: m.Message) -> None:
        with pytest.raises((Stale, Busy)):
            self._apply(line, message)


class Shuffling(World):
    """What is due at the same moment happens in an order of chance."""

    seed = 0

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        chance, numbers = random.Random(self.seed), itertools.count()
        self._order = _pairs(chance, numbers)


def _pairs(chance: random.Random, numbers: Iterator[int]) -> Any:
    for number in numbers:
        yield chance.random(), number


@pytest.mark.parametrize("case", RUN, ids=[case.name for case in RUN])
@pytest.mark.parametrize("world", [Forgetful, Doubling])
def test_a_crash_and_a_doubled_message_change_nothing(
    world: Callable[..., World], case: Case, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pure, "World", world)
    pure.play(case)


CONCURRENT = [case for case in RUN if "fork" in json.dumps(case.workflow) or len(case.messages) > 1]


@pytest.mark.parametrize("case", CONCURRENT, ids=[case.name for case in CONCURRENT])
def test_the_order_of_what_happens_at_once_changes_nothing(
    case: Case, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pure, "World", Shuffling)
    for seed in ORDERS:
        monkeypatch.setattr(Shuffling, "seed", seed)
        pure.play(replace(case, path=None, calls=None))
