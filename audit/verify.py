"""Compute every chain again, on every core, and name the first link that is not what was written."""

import os
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import reduce
from multiprocessing import get_context

from django.db import connection

from audit import sealing
from audit.walking import FIRST, LAST, Broken, Connection, Part, Walked, verified, verified_apart

WORTH_ANOTHER_PROCESS = 100_000  # events; a process takes a while to start
PARTS_PER_PROCESS = 4
WORTH_A_WORD = 100_000  # events; a few seconds
_SIZE = "SELECT coalesce(max(id), 0) FROM audit_event"
_BORDERS = """
    SELECT percentile_disc(%s::float8[]) WITHIN GROUP (ORDER BY chain) FROM audit_event TABLESAMPLE SYSTEM (%s)
"""


@dataclass(slots=True)
class Verified:
    """What a verification read and found. `heads` holds the last (seq, hash) of the one chain that was asked for."""

    events: int = 0
    chains: int = 0
    broken: list[Broken] = field(default_factory=list)
    heads: dict[uuid.UUID, tuple[int, bytes]] = field(default_factory=dict)


def verify(
    chain: uuid.UUID | None = None, *, processes: int | None = None, told: Callable[[int, int], None] | None = None
) -> Verified:
    """Verify one chain, or all of them, against themselves, the seals and the tombstones.

    `processes`: one for each core unless said otherwise, when the trail is long enough. `told`: all of it in this
    process, which hears after each part how many events and chains were read so far.
    """
    last = sealing.newest()
    whole = Part(seal=last.number, horizon=last.horizon) if last else Part()
    if chain is not None:
        found = verified(_raw(), replace(whole, low=chain, high=chain))
        return Verified(found.events, found.chains, found.broken, {chain: found.head} if found.head else {})
    if told is not None:
        return _in_turn(whole, told)
    count = _processes() if processes is None else processes
    parts = _parts(whole, count * PARTS_PER_PROCESS) if count > 1 else [whole]
    found = _joined(_spread(parts, count) if len(parts) > 1 else [verified(_raw(), whole)])
    return Verified(found.events, found.chains, found.broken)


def _in_turn(whole: Part, told: Callable[[int, int], None]) -> Verified:
    found = Walked()
    for part in _parts(whole, 1 + _size() // WORTH_A_WORD):
        found = _joined([found, verified(_raw(), part)])
        told(found.events, found.chains)
    return Verified(found.events, found.chains, found.broken)


def _size() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_SIZE)
        return int(cursor.fetchone()[0])


def _processes() -> int:
    """Return how many processes are worth their start; one inside a transaction, which others would not see."""
    if connection.in_atomic_block:
        return 1
    return max(1, min(len(os.sched_getaffinity(0)), _size() // WORTH_ANOTHER_PROCESS))


def _parts(whole: Part, count: int) -> list[Part]:
    """Cut the chains into ranges of about as many events; ids of chains grow with time, so a sample says where."""
    shares = [number / count for number in range(1, count)]
    with connection.cursor() as cursor:
        cursor.execute(_BORDERS, [shares, 1])
        found = cursor.fetchone()[0] or []
    lows = [FIRST, *sorted({border for border in found if border > FIRST})]
    highs = [*(uuid.UUID(int=low.int - 1) for low in lows[1:]), LAST]
    return [replace(whole, low=low, high=high) for low, high in zip(lows, highs, strict=True)]


def _spread(parts: list[Part], processes: int) -> list[Walked]:
    """Walk the parts in processes of their own, each with a connection of its own."""
    given = connection.get_connection_params()
    parameters = {name: value for name, value in given.items() if value is None or isinstance(value, str | int)}
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(verified_apart, [parameters] * len(parts), parts))


def _joined(walked: Iterable[Walked]) -> Walked:
    def add(one: Walked, other: Walked) -> Walked:
        return Walked(one.events + other.events, one.chains + other.chains, one.broken + other.broken)

    return reduce(add, walked, Walked())


def _raw() -> Connection:
    connection.ensure_connection()
    raw: Connection = connection.connection
    return raw
