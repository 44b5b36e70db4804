"""Start many runs: one statement for all that start the same definition, and all of them or none."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from actions.running import refuse_inside_handler
from workflows.operations.errors import InputInvalid, KeyConflict, KeyInvalid, OperationError, UnknownDefinition
from workflows.operations.lookup import Definition, find
from workflows.operations.new_runs import Known, Row, record, row_of
from workflows.operations.start import KEY, Started, conflict_of
from workflows.operations.together import in_one_transaction

MOST = 10_000
COMPARED = 20  # keys with other input for which it is said what differs: each reads a run

Wanted = tuple[str, str, str | None]
Refusals = dict[int, OperationError]


@dataclass(frozen=True, slots=True)
class Start:
    """One of many runs to start, with the options of `start_workflow` and `start_action`."""

    kind: str
    name: str
    input: Any
    version: str | None = None
    key: str | None = None
    title: str = ""
    tags: Sequence[str] = ()

    @property
    def wanted(self) -> Wanted:
        """Return what is to be started, as `find` takes it."""
        return self.kind, self.name, self.version


class StartsRefused(OperationError):
    """Some of many starts are wrong, and none was done. `refusals` says why, by the number in the list, from 0."""

    def __init__(self, refusals: Mapping[int, OperationError]) -> None:
        self.refusals = dict(sorted(refusals.items()))
        number, error = next(iter(self.refusals.items()))
        more = f" {len(refusals) - 1} more are refused." if len(refusals) > 1 else ""
        super().__init__(f"No run was started. Number {number}: {error}{more}")


class TooMany(OperationError):
    """More runs than can be started at once."""

    def __init__(self, count: int) -> None:
        super().__init__(f"At most {MOST} runs are started at once; these are {count}.")


class KeyTwice(OperationError):
    """The key of a start is that of an earlier one in the list, which is another one."""

    def __init__(self, earlier: int) -> None:
        super().__init__(f"Number {earlier} has the same idempotency key, and other input or another version.")


class _Again(Exception):
    """A key was taken, or another version published, in this very moment."""


def start_many(starts: Sequence[Start], *, actor: str, trigger: str) -> list[Started]:
    """Start all of these runs in one transaction, or none; return what each came to, in their order.

    One whose key is known, or stands with an earlier one of the list, is that run. Raises StartsRefused with all that
    is wrong, TooMany, and ActionError inside a handler.
    """
    refuse_inside_handler("start runs")
    if len(starts) > MOST:
        raise TooMany(len(starts))
    while True:
        try:
            return _attempt(starts, actor, trigger)
        except _Again:
            continue


def check_many(starts: Mapping[int, Start]) -> Refusals:
    """Return what is wrong with which of these, without starting any: a key that belongs to another run is not seen."""
    return _checked(starts, "", "")[2]


@in_one_transaction
def _attempt(starts: Sequence[Start], actor: str, trigger: str) -> list[Started]:
    numbered = dict(enumerate(starts))
    definitions, rows, refusals, repeats = _checked(numbered, actor, trigger)
    if refusals:
        raise StartsRefused(refusals)
    known: dict[int, Known] = {}
    for wanted, numbers in _groups(starts, rows.keys() - repeats.keys()):
        known |= _record(definitions[wanted], wanted[2], {n: rows[n] for n in numbers}, actor, trigger)
    if refusals := _conflicts(starts, rows, known):
        raise StartsRefused(refusals)
    return [_started(n, repeats.get(n, n), rows, known) for n in range(len(starts))]


def _checked(
    starts: Mapping[int, Start], actor: str, trigger: str
) -> tuple[dict[Wanted, Definition], dict[int, Row], Refusals, dict[int, int]]:
    """Return what the starts mean, the rows of the good ones, why others are none, and who has the key of whom."""
    definitions, unknown = _definitions(starts.values())
    refusals: Refusals = {}
    rows: dict[int, Row] = {}
    for number, start in starts.items():
        definition = definitions.get(start.wanted)
        if definition is None:
            refusals[number] = unknown[start.wanted]
        elif start.key is not None and not KEY.fullmatch(start.key):
            refusals[number] = KeyInvalid()
        elif problems := definition.problems(start.input):
            refusals[number] = InputInvalid(problems)
        else:
            more = (start.version, start.key or "", start.title, start.tags)
            rows[number] = row_of(definition, start.input, actor, trigger, *more)
    repeats = _repeats(starts, rows)
    refusals |= {n: KeyTwice(first) for n, first in repeats.items() if rows[n].digest != rows[first].digest}
    return definitions, rows, refusals, repeats


def _definitions(starts: Iterable[Start]) -> tuple[dict[Wanted, Definition], dict[Wanted, UnknownDefinition]]:
    found: dict[Wanted, Definition] = {}
    unknown: dict[Wanted, UnknownDefinition] = {}
    for wanted in {start.wanted for start in starts}:
        try:
            found[wanted] = find(*wanted)
        except UnknownDefinition as error:
            unknown[wanted] = error
    return found, unknown


def _repeats(starts: Mapping[int, Start], rows: Mapping[int, Row]) -> dict[int, int]:
    """Return which starts have the key of an earlier one, and of which."""
    first: dict[tuple[str, str, str], int] = {}
    found: dict[int, int] = {}
    for number, row in rows.items():
        place = (starts[number].kind, starts[number].name, row.key)
        if row.key and (earlier := first.setdefault(place, number)) != number:
            found[number] = earlier
    return found


def _groups(starts: Sequence[Start], numbers: Iterable[int]) -> Iterator[tuple[Wanted, list[int]]]:
    """Yield what is started with the numbers of those that start it. All who start many take their keys in this order:
    they wait for each other, and not in a circle.
    """

    def order(number: int) -> tuple[str, str, str, str, int]:
        kind, name, version = starts[number].wanted
        return kind, name, version or "", starts[number].key or "", number

    for wanted, found in groupby(sorted(numbers, key=order), lambda number: starts[number].wanted):
        yield wanted, list(found)


def _record(
    definition: Definition, version: str | None, rows: Mapping[int, Row], actor: str, trigger: str
) -> dict[int, Known]:
    """Record runs; return those that are known, by their numbers. Raises _Again."""
    recorded = record(definition, list(rows.values()), actor, trigger, version)
    known = {number: recorded.known[row.run] for number, row in rows.items() if row.run in recorded.known}
    keys = sum(bool(row.key) for row in rows.values()) - len(known)
    if recorded.made + len(known) < len(rows) or recorded.keys < keys:
        raise _Again
    return known


def _conflicts(starts: Sequence[Start], rows: Mapping[int, Row], known: Mapping[int, Known]) -> Refusals:
    """Return which keys belong to runs with other input. Raises _Again when such a run is just deleted."""
    refusals: Refusals = {}
    for number, run in known.items():
        if run.digest == rows[number].digest:
            continue
        if len(refusals) >= COMPARED:
            refusals[number] = KeyConflict(run.run, ["too many of the list to compare them all"])
        elif conflict := conflict_of(run, starts[number].input, starts[number].version):
            refusals[number] = conflict
        else:
            raise _Again
    return refusals


def _started(number: int, first: int, rows: Mapping[int, Row], known: Mapping[int, Known]) -> Started:
    if first in known:
        return Started(known[first].run, created=False)
    return Started(rows[first].run, created=number == first)
