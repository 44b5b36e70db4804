"""What django-q2 shares between its processes, without a lock that dies with its holder; and children that die with
their parent.

`multiprocessing` guards its queues, events and values with semaphores. A process that is killed or frozen while it
holds one leaves a cluster that looks alive and does nothing (django-q2 issue 23), or that can no longer be told to
stop. A socket pair has no lock in user space: the kernel gives each message to one reader, whoever dies.
"""

import logging
import multiprocessing
import pickle
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from multiprocessing.sharedctypes import RawValue
from typing import Any

import django_q.cluster
from django_q.cluster import Sentinel
from django_q.monitor import monitor
from django_q.pusher import pusher
from django_q.signals import post_spawn

from dotdo_site.lib import process_state
from dotdo_site.lib.parent_death import die_with_parent
from workflows import draining, pulse
from workflows.pulse import Sign

log = logging.getLogger(__name__)
MESSAGE_BYTES = 1 << 20
PATIENCE_SECONDS = 2
SIGN_SECONDS = 0.5  # whoever waits says so often that it is alive
BUSY_SECONDS = 0.005
STOP = "STOP"
SINGLE = {Sentinel: Sign.SENTINEL, pusher: Sign.PUSHER, monitor: Sign.MONITOR}


class Flag:
    """What django-q2 needs of an event: one that whoever dies cannot lock."""

    def __init__(self) -> None:
        self.reader, self.writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)

    def set(self) -> None:
        """Raise the flag, for good."""
        if not self.is_set():
            self.writer.send(b"1")

    def is_set(self) -> bool:
        """Tell whether it is up."""
        return self.wait(0)

    def wait(self, seconds: float) -> bool:
        """Wait until it is up, at most so long; tell whether it is."""
        pulse.sign()
        return _readable(self.reader, seconds)


class Timer:
    """What django-q2 needs of a shared number; its own time limits are off, so nobody has to be kept out."""

    def __init__(self, kind: str, value: float) -> None:
        self._cell: Any = RawValue(kind, value)

    @property
    def value(self) -> float:
        """Return the number."""
        return float(self._cell.value)

    @value.setter
    def value(self, value: float) -> None:
        self._cell.value = value

    def get_lock(self) -> AbstractContextManager[None]:
        """Return no lock."""
        return nullcontext()


class SocketQueue:
    """What django-q2 needs of a queue. Bounded (tasks): `put` waits until the message before has been taken, or until
    the cluster drains: nobody takes any then, and the sentinel waits for whoever waits here.

    Unbounded (results): `put` gives up after 2 seconds: a lost result costs nothing, the rows are the truth. STOP is
    no message but a flag for every reader, so it waits for nobody and does not matter how many readers are left.
    """

    def __init__(self, maxsize: int = 0, **_: Any) -> None:
        self.bounded = bool(maxsize)
        kind = socket.SOCK_DGRAM if self.bounded else socket.SOCK_SEQPACKET
        self.reader, self.writer = socket.socketpair(socket.AF_UNIX, kind)
        self.writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MESSAGE_BYTES)
        self.writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _seconds(PATIENCE_SECONDS))
        self.reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _seconds(SIGN_SECONDS))
        self.stop = Flag()

    def put(self, item: Any, *_: Any, **__: Any) -> None:
        """Send one message."""
        if item == STOP:
            self.stop.set()
            return
        # The kernel would take hundreds of hints, all of them stale.
        while self.bounded and not self.empty() and not draining.requested():
            pulse.sign()
            time.sleep(BUSY_SECONDS)
        try:
            self.writer.send(pickle.dumps(item, -1))
        except OSError as error:
            if self.bounded:
                raise
            log.warning("a result of django-q2 was dropped: %s", error)

    def get(self, *_: Any, **__: Any) -> Any:
        """Receive one message, waiting for it; STOP when there is none and none will come."""
        self._note_reader()
        while True:
            pulse.sign()
            if pulse.drained() and not self.stop.wait(SIGN_SECONDS):
                continue  # a hint is for those who work
            try:
                return pickle.loads(self.reader.recv(MESSAGE_BYTES))  # noqa: S301 - written by our own processes
            except BlockingIOError:
                if self.stop.is_set():
                    return STOP

    def _note_reader(self) -> None:
        global _tasks  # noqa: PLW0603 - a process reads one of them
        _tasks = self if self.bounded else None

    def qsize(self) -> int:
        """Tell whether something waits: 1 or 0."""
        return int(_readable(self.reader, 0))

    def empty(self) -> bool:
        """Tell whether nothing waits."""
        return not self.qsize()

    def close(self) -> None:
        """Do nothing: the kernel closes the sockets with the last process."""

    join_thread = cancel_join_thread = close


_tasks: SocketQueue | None = None


def task_waits() -> bool:
    """Tell whether there is a task for one of django-q2's workers, of which this process is one."""
    return _tasks is not None and not _tasks.empty()


class Process(multiprocessing.context.ForkProcess):
    """A forked process that the kernel kills when its parent dies, with a slot for its signs of life."""

    def __init__(self, *, target: Callable[..., object], slot: int | None = None, **options: Any) -> None:
        super().__init__(target=target, **options)
        self._follow_parent = die_with_parent(signal.SIGKILL)
        self._slot = SINGLE.get(target, slot)

    def start(self) -> None:
        """Fork, and note who has the slot."""
        if self._slot is None:
            self._slot = pulse.free_slot()
        pulse.clear(self._slot)
        super().start()
        assert self.pid is not None  # noqa: S101 - for mypy
        pulse.enter(self._slot, self.pid)

    def run(self) -> None:
        """Ask for the parent's death signal, then run the target."""
        self._follow_parent()
        assert self._slot is not None  # noqa: S101 - for mypy
        pulse.own(self._slot)
        process_state.name(f"dotdo:{pulse.role(self._slot)}")
        super().run()


class _Context(multiprocessing.context.ForkContext):
    Process = Process


def install(introduce: Callable[..., None]) -> None:
    """Make django-q2 use these queues, flags, numbers and processes; each worker calls `introduce` first."""
    context = _Context()
    post_spawn.connect(introduce, weak=False, dispatch_uid="dotdo")
    django_q.cluster.Queue = SocketQueue  # type: ignore[attr-defined, assignment]
    django_q.cluster.Event = Flag  # type: ignore[attr-defined, assignment]
    django_q.cluster.Value = Timer  # type: ignore[attr-defined, assignment]
    django_q.cluster.get_mp_context = lambda: context


def _readable(end: socket.socket, seconds: float) -> bool:
    return bool(select.select([end], [], [], seconds)[0])


def _seconds(seconds: float) -> bytes:
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
