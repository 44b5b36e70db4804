"""A thread that keeps the lease of a long handler alive, on a connection of its own.

It only acts once a handler has outlived a third of its lease, so short steps cost nothing. When a renewal changes no
row the lease is lost: the handler is told to stop, and the fence makes sure that its result changes nothing.
"""

import logging
import threading
import time
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass

import psycopg
from django.db import connections

from workflows.claim import HEARTBEAT

log = logging.getLogger(__name__)
AGAIN_SECONDS = 0.5  # while it fails: after an outage everybody is given a few seconds (`watch.RENEWED_SECONDS`)
PATIENCE = {"connect_timeout": "3", "tcp_user_timeout": "3000"}


@dataclass(slots=True)
class _Held:
    step: uuid.UUID
    claim: int
    lost: threading.Event
    renewed: float


class Heartbeat:
    """Renews the lease of the one step that this process executes."""

    def __init__(self, lease_seconds: float) -> None:
        self.lease_seconds = lease_seconds
        self.held: _Held | None = None
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._failed = False

    def renewing(self, step: uuid.UUID, claim: int, lost: threading.Event) -> AbstractContextManager[None]:
        """Renew the lease until the block ends; set `lost` when it cannot be renewed any more."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="heartbeat", daemon=True)
            self._thread.start()
        return _Renewing(self, _Held(step, claim, lost, time.monotonic()))

    def _watch(self) -> None:
        while True:
            time.sleep(AGAIN_SECONDS if self._failed else self.lease_seconds / 6)
            held = self.held
            if held is not None and time.monotonic() - held.renewed >= self.lease_seconds / 3:
                self._renew(held)

    def _renew(self, held: _Held) -> None:
        try:
            if self._connection is None:
                self._connection = _connect()
            cursor = self._connection.execute(HEARTBEAT, (self.lease_seconds, held.step, held.claim))
        except psycopg.Error as error:
            self._give_up(held, error)
            return
        self._failed, held.renewed = False, time.monotonic()
        if not cursor.rowcount and self.held is held:
            held.lost.set()

    def _give_up(self, held: _Held, error: psycopg.Error) -> None:
        if not self._failed:
            log.warning("the lease of step %s could not be renewed, trying again: %s", held.step, str(error).strip())
        if self._connection is not None:
            self._connection.close()
        self._connection, self._failed = None, True


class _Renewing(AbstractContextManager[None]):
    __slots__ = ("heartbeat", "held")

    def __init__(self, heartbeat: Heartbeat, held: _Held) -> None:
        self.heartbeat, self.held = heartbeat, held

    def __enter__(self) -> None:
        self.heartbeat.held = self.held

    def __exit__(self, *_: object) -> None:
        self.heartbeat.held = None


def _connect() -> "psycopg.Connection[tuple[object, ...]]":
    parameters = connections["default"].get_connection_params()
    own = {k: v for k, v in parameters.items() if k not in ("cursor_factory", "context", "prepare_threshold")}
    return psycopg.connect(**{**own, **PATIENCE}, autocommit=True, prepare_threshold=None)  # it may be pooled
