"""A queue for django-q2 that a killed process cannot lock, and children that die with their parent.

django-q2 passes work through `multiprocessing.Queue`, whose lock dies with its holder: one killed idle worker leaves a
cluster that looks alive and does nothing (django-q2 issue 23). A socket pair has no lock in user space: the kernel
gives each message to one reader, whoever dies.
"""

import logging
import multiprocessing
import pickle
import select
import signal
import socket
import struct
import time
from typing import Any

import django_q.cluster

from dotdo_site.lib.parent_death import die_with_parent

log = logging.getLogger(__name__)
MESSAGE_BYTES = 1 << 20
SEND_SECONDS = 2
BUSY_SECONDS = 0.005


class SocketQueue:
    """What django-q2 needs of a queue. Bounded (tasks): `put` waits until the message before has been taken.

    Unbounded (results): `put` gives up after 2 seconds, because a worker holds a lock there that its guard needs;
    a lost result costs nothing, the rows are the truth.
    """

    def __init__(self, maxsize: int = 0, **_: Any) -> None:
        self.bounded = bool(maxsize)
        kind = socket.SOCK_DGRAM if self.bounded else socket.SOCK_SEQPACKET
        self.reader, self.writer = socket.socketpair(socket.AF_UNIX, kind)
        self.writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MESSAGE_BYTES)
        if not self.bounded:
            timeout = struct.pack("ll", SEND_SECONDS, 0)
            self.writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)

    def put(self, item: Any, *_: Any, **__: Any) -> None:
        """Send one message."""
        while self.bounded and not self.empty():  # the kernel would take hundreds of hints, all of them stale
            time.sleep(BUSY_SECONDS)
        try:
            self.writer.send(pickle.dumps(item, -1))
        except OSError as error:
            if self.bounded:
                raise
            log.warning("a result of django-q2 was dropped: %s", error)

    def get(self, *_: Any, **__: Any) -> Any:
        """Receive one message, waiting for it."""
        return pickle.loads(self.reader.recv(MESSAGE_BYTES))  # noqa: S301 - written by our own processes

    def qsize(self) -> int:
        """Tell whether something waits: 1 or 0."""
        return int(bool(select.select([self.reader], [], [], 0)[0]))

    def empty(self) -> bool:
        """Tell whether nothing waits."""
        return not self.qsize()

    def close(self) -> None:
        """Do nothing: the kernel closes the sockets with the last process."""

    join_thread = cancel_join_thread = close


class Process(multiprocessing.context.ForkProcess):
    """A forked process that the kernel kills when its parent dies."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._follow_parent = die_with_parent(signal.SIGKILL)

    def run(self) -> None:
        """Ask for the parent's death signal, then run the target."""
        self._follow_parent()
        super().run()


class _Context(multiprocessing.context.ForkContext):
    Process = Process


def install() -> None:
    """Make django-q2 use this queue and these processes."""
    context = _Context()
    django_q.cluster.Queue = SocketQueue  # type: ignore[attr-defined, assignment]
    django_q.cluster.get_mp_context = lambda: context
