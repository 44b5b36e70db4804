"""Who this worker process is: a row in `worker`, the queues it serves, its heartbeat."""

import os
import socket
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.db.models.functions import Now

from actions import registry
from dotdo_site.lib import process_state
from dotdo_site.lib.ids import uuid7
from workflows import claim, epoch, pulse, wake
from workflows.claim import Claimed
from workflows.heartbeat import Heartbeat
from workflows.lessee import Lessee
from workflows.models import Worker

LOOK_SECONDS = 1.0  # a more urgent step may have been due for so long before a worker looks at its queue
PAUSED_SECONDS = 1.0  # a queue may have been paused for so long before a worker knows
NEVER = float("-inf")


class Identity:
    """One start of one worker process. Its id is new each time, so nothing is inherited by a reused pid."""

    def __init__(self) -> None:
        self.id: uuid.UUID = uuid7()
        self.pid = os.getpid()
        self.queues = tuple(settings.WORKER_QUEUES)
        self.code_version = registry.code_version()
        self.heartbeat = Heartbeat(settings.LEASE_SECONDS)
        self._found = ("", 0)  # the queue and the priority that had a due step
        self._found_at = NEVER
        self._idle = False  # nothing was due when this worker last looked around
        self._ahead: Claimed | None = None  # claimed by the checkpoint before
        self._ahead_at = NEVER
        self._open: dict[str, float] = {}  # when a queue was last seen not to be paused
        Worker.objects.create(
            id=self.id,
            host=socket.gethostname(),
            pid=self.pid,
            place=process_state.place(),
            born=process_state.born(self.pid),
            code_version=self.code_version,
            queues=list(self.queues),
            started_at=Now(),
            heartbeat_at=Now(),
        )

    def lessee(self, keep: Callable[[], bool] = lambda: True) -> Lessee:
        """Return this worker as checkpoints see it; `keep` tells whether it goes on with the run it holds."""
        return Lessee(self.id, self.code_version, self.queues, keep, self.paused, self._place, self._take_later)

    def paused(self, queue: str) -> bool:
        """Tell whether an operator paused a queue, as far as this worker knows."""
        if time.monotonic() - self._open.get(queue, NEVER) < PAUSED_SECONDS:
            return False
        paused = queue in claim.paused()
        if not paused:
            self._open[queue] = time.monotonic()
        return paused

    def take(self) -> Claimed | None:
        """Claim the most urgent due step of the queues that this worker serves.

        Where it found one within the last second it looks first: that asks nothing else. The same once there was
        nothing to do: what has come since is mostly where something was before, and found there in half the time.
        """
        pulse.beat()
        epoch.look()
        if time.monotonic() - self._ahead_at > settings.LEASE_SECONDS / 3:
            self.put_back()
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            return ahead
        if time.monotonic() - self._found_at < LOOK_SECONDS:
            held = claim.take(*self._found, self.id, settings.LEASE_SECONDS)
            if held is not None:
                return held
        return (self._look_there() if self._idle else None) or self._look_around()

    def put_back(self) -> None:
        """Put back what was claimed ahead and is not taken any more."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            claim.give_back(self.id, [ahead.step])
            wake.workers()

    def forget(self) -> None:
        """Forget what was claimed ahead: all that this worker holds was handed back."""
        self._ahead = None

    def _place(self) -> tuple[str, int] | None:
        near = self._ahead is None and time.monotonic() - self._found_at < LOOK_SECONDS
        return self._found if near else None

    def _take_later(self, held: Claimed) -> None:
        self._ahead, self._ahead_at = held, time.monotonic()

    def _look_there(self) -> Claimed | None:
        """Claim where something was found last."""
        began = time.monotonic()
        return self._noted(claim.take_unless_paused(*self._found, self.id, settings.LEASE_SECONDS), began)

    def _look_around(self) -> Claimed | None:
        """Claim the most urgent step, wherever it is, and remember where that was."""
        began = time.monotonic()
        held = self._noted(claim.take_first(self.queues, self.id, settings.LEASE_SECONDS), began)
        self._idle = held is None and bool(self._found[0])
        return held

    def _noted(self, held: Claimed | None, began: float) -> Claimed | None:
        self._found_at = NEVER
        if held is not None:
            self._found, self._found_at = (held.queue, held.priority), began
            self._open[held.queue], self._idle = began, False
        return held


_identity: Identity | None = None


def identity() -> Identity:
    """Return this process's identity; a forked child gets one of its own."""
    global _identity  # noqa: PLW0603 - one per process is the point
    if _identity is None or _identity.pid != os.getpid():
        registry.discover()
        _identity = Identity()
    return _identity
