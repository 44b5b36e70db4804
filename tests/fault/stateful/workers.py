"""Workers as plain objects: each has its own view of what it claimed, may be late, may die where it stands."""

import copy
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from django.db import connection

from workflows import checkpoint, claim, driving, execution, recording
from workflows.claim import Claimed
from workflows.heartbeat import Heartbeat
from workflows.identity import Identity

LEASE = 3_600.0
QUEUE, PRIORITY = "default", 2
POINTS = ("effect", "before", "written", "recorded")


class Crash(BaseException):
    """The process dies here."""


class Still(Heartbeat):
    """A heartbeat that only beats when the test says so."""

    @contextmanager
    def renewing(self, *_: Any) -> Iterator[None]:
        yield


class Person(Identity):
    """One start of a worker process."""

    def __init__(self) -> None:
        super().__init__()
        self.heartbeat = Still(LEASE)

    def claim(self) -> Claimed | None:
        """Claim whatever has been due longest."""
        return claim.take(QUEUE, PRIORITY, self.id, LEASE)


@dataclass(frozen=True, slots=True)
class Token:
    """What a worker knows of a step that it claimed, true or not any more."""

    worker: Person
    claimed: Claimed


@dataclass
class Fate:
    """At which passage of which point the process dies, and what others do before which checkpoint (`wait` to go)."""

    point: str = ""
    passage: int = 1
    meanwhile: Callable[[], None] | None = None
    wait: int = 0
    crashed: bool = False
    kept: bool = False

    def pass_by(self, point: str) -> None:
        """Come to a point. What is in an open transaction is lost with the process."""
        if point == "before":
            self.wait -= 1
            if self.wait == -1 and self.meanwhile is not None and not connection.in_atomic_block:
                self.meanwhile()  # inside a transaction others would wait for its locks
        if point == self.point:
            self.passage -= 1
            if self.passage == 0:
                self.crashed, self.kept = True, point in ("written", "recorded") and not connection.in_atomic_block
                raise Crash


class Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


_fates: list[Fate] = []


def drive(token: Token, fate: Fate, *, on: bool) -> None:
    """Let a worker execute what it believes to hold; raises what it would only have logged."""
    handler = Kept(logging.ERROR)
    driving.log.addHandler(handler)
    _fates.append(fate)
    try:
        driving.drive(copy.copy(token.claimed), token.worker, time.monotonic() + (60 if on else -1))
    except Crash:
        pass
    finally:
        _fates.pop()
        driving.log.removeHandler(handler)
    assert not handler.records, f"{handler.records[0].getMessage()}: {handler.records[0].exc_info}"


def renew(token: Token) -> bool:
    """Beat the heart of a step's lease; tell whether it was still ours."""
    with connection.cursor() as cursor:
        cursor.execute(claim.HEARTBEAT, [LEASE, token.claimed.step, token.claimed.claim])
        return bool(cursor.rowcount)


def lose_host() -> None:
    """Let every lease run out."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE step SET lease_expires_at = now() - interval '1 s' WHERE state = 'running'")


def pass_time(step: uuid.UUID | None = None) -> None:
    """Make one step due, or all of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE step SET due_at = now() WHERE state = 'ready' AND due_at > now() AND (%s::uuid IS NULL OR id = %s)",
            [step, step],
        )


@contextmanager
def points() -> Iterator[None]:
    """Let the fate of whoever works see where the worker is."""

    def wrapped(do: Callable[..., Any], before: str, after: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if before:
                _fates[-1].pass_by(before)
            result = do(*args, **options)
            _fates[-1].pass_by(after)
            return result

        return call

    with (
        patch.object(execution, "attempt_in_transaction", wrapped(execution.attempt_in_transaction, "", "effect")),
        patch.object(execution, "attempt", wrapped(execution.attempt, "", "effect")),
        patch.object(checkpoint, "write", wrapped(checkpoint.write, "", "written")),
        patch.object(recording, "write", wrapped(recording.write, "before", "recorded")),
    ):
        yield
