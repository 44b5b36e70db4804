"""What clients start: drawn from the seed alone, so that a seed names one sequence of work."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

CLIENTS = 12
TRIPLE_SHARE = 0.2
OPERATORS = ("leave", "skip", "cancel", "undo", "resolve", "retry")
STEERING = ("suspend", "cancel", "fire", "leave")


@dataclass(frozen=True)
class Construct:
    """A definition that clients start: how often, with which input, and the output that is right for it.

    `ends` are the states in which its runs may be found in the end; `output` is compared where a run succeeded.
    """

    name: str
    weight: float
    input: Callable[[random.Random, int], dict[str, Any]] = lambda _, n: {"n": n}
    output: Callable[[dict[str, Any]], Any] = lambda given: {"n": given["n"]}
    ends: tuple[str, ...] = ("succeeded",)
    kind: str = "workflow"
    title: Callable[[dict[str, Any]], str] = lambda _: ""


@dataclass(frozen=True)
class Start:
    """One start that a client makes, perhaps three times at once."""

    construct: str
    key: str
    input: dict[str, Any]
    title: str
    kind: str
    copies: int
    pause: float = field(compare=False)


def _word(_: random.Random, n: int) -> dict[str, Any]:
    return {"n": n, "word": f"w{n}"}


def _booked(given: dict[str, Any]) -> dict[str, Any]:
    return {"n": given["n"], "name": given["word"]}


CONSTRUCTS = {
    construct.name: construct
    for construct in (
        Construct("chaos-short", 30),
        Construct("chaos-compute", 20, output=lambda given: {"n": given["n"] + 5}),
        Construct("chaos-write", 12, lambda _, n: {"name": f"w{n}"}, lambda given: given, kind="action"),
        Construct("chaos-order", 9, _word, _booked),
        Construct("chaos-hook", 3, _word, _booked),
        Construct("chaos-retry", 5, lambda draw, n: {"n": n, "fail": draw.randrange(3)}),
        Construct("chaos-catch", 4, output=lambda given: {"n": given["n"], "caught": "refused"}),
        Construct("chaos-fork", 5, output=lambda given: {"sum": 2 * given["n"] + 3}),
        Construct("chaos-race", 4, output=lambda _: {"name": "winner"}),
        Construct("chaos-parent", 5, output=lambda given: {"n": 2 * given["n"]}),
        Construct(
            "chaos-map",
            4,
            lambda draw, n: {"n": n, "items": draw.randint(1, 12)},
            lambda given: [{"n": 2 * item} for item in range(given["items"])],
        ),
        Construct(
            "chaos-saga",
            6,
            lambda draw, n: {"n": n, "fail": draw.random() < 0.6},
            lambda given: {"state": "undone" if given["fail"] else "shipped"},
        ),
        Construct(
            "chaos-approval",
            3,
            _word,
            lambda given: {"name": decision(given["n"])},
            title=lambda given: given["word"],
        ),
        Construct(
            "chaos-loop",
            3,
            lambda draw, n: {"n": n, "items": draw.randint(1, 4)},
            lambda given: {"n": given["n"], "turn": 4},
        ),
        Construct("chaos-late", 3),
        Construct("chaos-mail", 3),
        Construct("chaos-emit", 3),
        Construct(
            "chaos-doomed",
            3,
            lambda draw, n: {"n": n, "then": draw.choice(OPERATORS)},
            lambda _: {"name": "after"},
            ends=("failed", "succeeded", "cancelled"),
            title=lambda given: given["then"],
        ),
        Construct(
            "chaos-slow",
            4,
            lambda draw, n: {"n": n, "rest": f"PT{draw.randint(30, 150) / 100}S", "then": draw.choice(STEERING)},
            ends=("succeeded", "cancelled"),
            title=lambda given: given["then"],
        ),
    )
}


def decision(n: int) -> str:
    """Return what the approver says to the question of the run with this number."""
    return "approved" if n % 3 else "rejected"


def starts(seed: int, client: int, rate: float) -> Iterator[Start]:
    """Yield what one client starts, for ever, with the seconds to pause before each; `rate` is starts per second.

    Each begins with a few constructs that others do not begin with, so that a short round has all of them.
    """
    draw = random.Random(f"{seed} client {client}")
    weights = [construct.weight for construct in CONSTRUCTS.values()]
    first = list(CONSTRUCTS.values())[client::CLIENTS]
    n = 0
    while True:
        n += 1
        construct = first.pop() if first else draw.choices(list(CONSTRUCTS.values()), weights)[0]
        given = construct.input(draw, n)
        copies = 3 if draw.random() < TRIPLE_SHARE else 1
        pause = draw.uniform(0, 2 / rate)
        key = f"s{seed}-c{client}-{n}"
        yield Start(construct.name, key, given, construct.title(given), construct.kind, copies, pause)
