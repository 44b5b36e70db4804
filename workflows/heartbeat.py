"""A thread that keeps the lease of a long handler alive, on a connection of its own.

It only acts once a handler has outlived a third of its lease, so short steps cost nothing. When a renewal changes no
row the lease is lost: the handler is told to stop, and the fence makes sure that its result changes nothing.
"""

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from django.db import connections

from workflows.claim import HEARTBEAT

log = logging.getLogger(__name__)


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
        self._held: _Held | None = None
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    @contextmanager
    def renewing(self, step: uuid.UUID, claim: int, lost: threading.Event) -> Iterator[None]:
        """Renew the lease until the block ends; set `lost` when it cannot be renewed any more."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="heartbeat", daemon=True)
            self._thread.start()
        self._held = _Held(step, claim, lost, time.monotonic())
        try:
            yield
        finally:
            self._held = None

    def _watch(self) -> None:
        while True:
            time.sleep(self.lease_seconds / 6)
            held = self._held
            if held is not None and time.monotonic() - held.renewed >= self.lease_seconds / 3:
                self._renew(held)

    def _renew(self, held: _Held) -> None:
        try:
            if self._connection is None:
                self._connection = _connect()
            cursor = self._connection.execute(HEARTBEAT, (self.lease_seconds, held.step, held.claim))
        except psycopg.Error as error:
            log.warning("the lease of step %s could not be renewed: %s", held.step, error)
            self._connection = None
            return
        held.renewed = time.monotonic()
        if not cursor.rowcount and self._held is held:
            held.lost.set()


def _connect() -> "psycopg.Connection[tuple[object, ...]]":
    parameters = connections["default"].get_connection_params()
    own = {k: v for k, v in parameters.items() if k not in ("cursor_factory", "context", "prepare_threshold")}
    return psycopg.connect(**own, autocommit=True, prepare_threshold=None)  # it may be pooled
