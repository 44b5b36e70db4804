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
from workflows import claim, epoch, pulse
from workflows.claim import Claimed
from workflows.heartbeat import Heartbeat
from workflows.lessee import Lessee
from workflows.models import Worker

PAIRS_SECONDS = 1.0
PAUSED_SECONDS = 1.0  # a queue may have been paused for so long before a worker knows


class Identity:
    """One start of one worker process. Its id is new each time, so nothing is inherited by a reused pid."""

    def __init__(self) -> None:
        self.id: uuid.UUID = uuid7()
        self.pid = os.getpid()
        self.queues = tuple(settings.WORKER_QUEUES)
        self.code_version = registry.code_version()
        self.heartbeat = Heartbeat(settings.LEASE_SECONDS)
        self._pairs: list[tuple[str, int]] = []
        self._pairs_at = -PAIRS_SECONDS
        self._paused: frozenset[str] = frozenset()
        self._paused_at = -PAUSED_SECONDS
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
        return Lessee(self.id, self.code_version, self.queues, keep, self.paused)

    def paused(self, queue: str) -> bool:
        """Tell whether an operator paused a queue, as far as this worker knows."""
        if time.monotonic() - self._paused_at >= PAUSED_SECONDS:
            self._paused, self._paused_at = claim.paused(), time.monotonic()
        return queue in self._paused

    def take(self) -> Claimed | None:
        """Claim the most urgent due step of the queues that this worker serves."""
        pulse.beat()
        epoch.look()
        if time.monotonic() - self._pairs_at < PAIRS_SECONDS:
            for queue, priority in self._pairs:
                held = None if self.paused(queue) else claim.take(queue, priority, self.id, settings.LEASE_SECONDS)
                if held is not None:
                    return held
        return self._look_around()

    def _look_around(self) -> Claimed | None:
        """Ask which queues and priorities have due steps, and claim from the first that still has one."""
        serves = self.lessee().serves
        found = [(queue, priority, seconds) for queue, priority, seconds in claim.pairs() if serves(queue)]
        self._pairs = [(queue, priority) for queue, priority, _ in found]
        self._pairs_at = time.monotonic()
        for queue, priority, seconds in found:
            if seconds <= 0:
                held = claim.take(queue, priority, self.id, settings.LEASE_SECONDS)
                if held is not None:
                    return held
        return None


_identity: Identity | None = None


def identity() -> Identity:
    """Return this process's identity; a forked child gets one of its own."""
    global _identity  # noqa: PLW0603 - one per process is the point
    if _identity is None or _identity.pid != os.getpid():
        registry.discover()
        _identity = Identity()
    return _identity
