"""The points, and what happens at one that is armed.

A run arms points of its own by its input, `{"arm": "effect@book:kill"}`; what belongs to no run is armed by a file
`<point>:<action>` in the folder. Each fires once: whoever makes, or takes away, its file first.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection, connections

from workflows import (
    broker,
    calling,
    checkpoint,
    claim,
    execution,
    heartbeat,
    housekeeping,
    identity,
    recording,
    scheduling,
    wake,
)
from workflows.claim import Claimed
from workflows.operations import events, start

ACTIONS = ("kill", "stop", "terminate", "raise")
Of = Callable[[Any, Any], Claimed | None]
_folder: list[Path] = []
thawed: list[bool] = []


class Planned(Exception):
    """What the action `raise` raises."""


def install(folder: Path) -> None:
    """Wrap every point of this process."""
    _folder[:] = [folder]
    _around(identity.Identity, "take", "", "claimed", of=lambda _, held: held)
    _around(execution, "attempt", "before", "after", of=lambda given, _: given[0].held)
    _around(execution, "lock", "", "locked", of=lambda given, _: given[0].held)
    _around(execution, "attempt_in_transaction", "", "effect", of=lambda given, _: given[0].held)
    _around(checkpoint, "write", "statement", "written", of=lambda given, _: given[0])
    _around(recording, "write", "", "recorded", of=lambda given, _: given[0].held)
    _around(calling, "_call_in_transaction", "", "committed", of=lambda given, _: given[0].held)
    for owner, name, point in (
        *((claim, "reap", "reap"), (wake, "_notify", "notify"), (scheduling, "start", "fire")),
        *((heartbeat.Heartbeat, "_renew", "renew"), (broker.HintBroker, "_dequeue", "dequeue")),
        *((housekeeping, "_do", "chore"), (start, "record", "start"), (events, "_address", "address")),
        (events, "_deliver", "deliver"),
    ):
        _around(owner, name, f"{point}-before", f"{point}-after")


def _around(owner: Any, name: str, before: str, after: str, *, of: Of | None = None) -> None:
    do = getattr(owner, name)

    def wrapped(*given: Any, **options: Any) -> Any:
        if before:
            _pass(before, of(given, None) if of else None)
        result = do(*given, **options)
        _pass(after, of(given, result) if of else None)
        return result

    setattr(owner, name, wrapped)


def _pass(point: str, held: Claimed | None) -> None:
    """Come to a point; whoever arrives first at one that is armed does what it says."""
    folder = _folder[0]
    if held is None:
        for action in ACTIONS:
            with suppress(FileNotFoundError):
                (folder / f"{point}:{action}").unlink()
                _act(action)
        return
    wanted = held.run_input.get("arm", "") if isinstance(held.run_input, dict) else ""
    place, _, action = wanted.partition(":")
    if place == f"{point}@{held.name}":
        with suppress(FileExistsError):
            note = folder / str(held.run)
            note.touch(exist_ok=False)
            note.write_text(f"{os.getpid()} {held.step} {held.claim}")
            _act(action)


def _act(action: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
        thawed.append(True)
    elif action == "terminate":
        _terminate()
    else:
        raise Planned("as planned")


def _terminate() -> None:
    """End the session that this thread works with, from another one."""
    connection.ensure_connection()
    parameters = connections["default"].get_connection_params()
    own = {k: v for k, v in parameters.items() if k not in ("cursor_factory", "context", "prepare_threshold")}
    with psycopg.connect(**own, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
