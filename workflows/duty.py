"""One idle worker of each cluster is on duty: it listens by itself, and begins what is started without a hint.

A hint makes two processes wake, one after the other, before anybody claims. Who is on duty stays in the task that
django-q2 gave it, for a time slice without work, and leaves when there is another one for it. The lock that only one of
them has is the kernel's, and goes with its process.
"""

import fcntl
import logging
import os
import select
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
from django.conf import settings
from django.db import Error, connection

from dotdo_site.lib.database_errors import is_outage
from dotdo_site.pooling import is_pooled
from workflows import epoch, pulse
from workflows.listener import Raw
from workflows.wake import CHANNEL

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.1  # between two signs of life, and looks at whether there is something else to do
EPOCH_SECONDS = 0.8  # the epoch is read again before it is due: while nobody waits for that


class _Shared:
    """What all processes of a cluster have in common: the lock, and the bell of whoever has it."""

    def __init__(self) -> None:
        in_memory = hasattr(os, "memfd_create")  # elsewhere (macOS) it needs a folder that can be written
        self.file = os.memfd_create("duty") if in_memory else tempfile.TemporaryFile()  # noqa: SIM115 - open for good
        self.bell, self.ringer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.bell.setblocking(False)
        self.ringer.setblocking(False)

    def lock(self) -> bool:
        """Take the lock; False when another process has it."""
        try:
            fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def unlock(self) -> None:
        """Give the lock back."""
        fcntl.lockf(self.file, fcntl.LOCK_UN)

    def rung(self) -> bool:
        """Tell whether the bell was rung since this was last asked."""
        rung = False
        with suppress(BlockingIOError):
            while self.bell.recv(1):
                rung = True
        return rung


_shared: _Shared | None = None


def prepare() -> None:
    """Have a duty in this process and in all that are forked from it; elsewhere nobody is ever on duty."""
    global _shared  # noqa: PLW0603 - one per cluster is the point
    _shared = _Shared()


def possible() -> bool:
    """Tell whether anybody can be on duty: listening takes a session of the server, not of a pooler before it."""
    return _shared is not None and not settings.LISTEN_URL


def taken() -> bool:
    """Tell whether another process is on duty."""
    if _shared is None or not _shared.lock():
        return _shared is not None
    _shared.unlock()
    return False


def ring() -> None:
    """Let whoever is on duty look for work."""
    if _shared is not None:
        with suppress(BlockingIOError):  # it was rung often enough
            _shared.ringer.send(b"!")


class Duty:
    """What a worker knows of its duty: whether it has it, and the connection on which it listens."""

    def __init__(self) -> None:
        self._has = False
        self._on: Raw | None = None
        self._heard = False

    def stay(self, until: float, leaves: Callable[[], bool]) -> bool:
        """Wait for work as the one on duty; False when there is none, or this worker is not needed for it.

        `leaves` tells whether there is something else to do. Whoever has just begun to listen is told to look once
        more: what became due before was not heard. A database that is away is waited for by the pusher.
        """
        shared = _shared
        try:
            if shared is not None and possible() and self._take(shared):
                if self._on is None or self._on is not connection.connection:
                    return self._listen()
                if self._waits(shared, self._on, until, leaves):
                    return True
        except (Error, psycopg.Error) as error:
            if not is_outage(error):
                raise
            log.warning("the database went away: %s", str(error).strip())
            connection.close()
        self.leave()
        self.rest()
        return False

    def leave(self) -> None:
        """Let another one be on duty."""
        if self._has and _shared is not None:
            _shared.unlock()
        self._has = False

    def rest(self) -> None:
        """Stop listening: each notification wakes all who do, and waits for those who do not read."""
        on, self._on = self._on, None
        if on is not None and on is connection.connection:
            on.remove_notify_handler(self._hear)
            on.execute(f"UNLISTEN {CHANNEL}")

    def _take(self, shared: _Shared) -> bool:
        if not self._has and shared.lock():
            self._has = True
            shared.rung()  # for another one
        return self._has

    def _listen(self) -> bool:
        connection.ensure_connection()
        raw: Raw = connection.connection
        if is_pooled(raw):
            self.leave()
            return False
        raw.add_notify_handler(self._hear)
        raw.execute(f"LISTEN {CHANNEL}")
        self._on = raw
        return True

    def _hear(self, _: object) -> None:
        self._heard = True

    def _waits(self, shared: _Shared, raw: Raw, until: float, leaves: Callable[[], bool]) -> bool:
        while not leaves() and time.monotonic() < until:
            pulse.sign()
            epoch.look(EPOCH_SECONDS)
            if self._wakes(shared, raw, min(LOOK_SECONDS, max(0.0, until - time.monotonic()))):
                return True
        return False

    def _wakes(self, shared: _Shared, raw: Raw, seconds: float) -> bool:
        """Wait; tell whether something was notified or rung."""
        self._take_in(raw)  # what came beside the answer to a `Hot` statement
        if not self._heard:
            server, bell = raw.pgconn.socket, shared.bell.fileno()
            readable, _, _ = select.select([server, bell], [], [], seconds)
            if server in readable:
                raw.pgconn.consume_input()
                self._take_in(raw)
            self._heard |= bell in readable and shared.rung()
        woken, self._heard = self._heard, False
        return woken

    def _take_in(self, raw: Raw) -> None:
        while raw.pgconn.notifies() is not None:
            self._heard = True
