"""Run django-q2's cluster under a watchdog that believes in progress, not in process ids.

Twice a second it ends the leases of workers that died (their steps go on within seconds, not after a lease), and it
restarts the whole cluster when its sentinel is gone, or when due work is left lying while no worker is busy or looks.
The housekeeper, a process of its own, is watched in the same way.
"""

import logging
import os
import signal
import socket
import threading
import time
import uuid
from types import FrameType
from typing import Any

import psycopg
from django.conf import settings
from django.db import Error, connection, connections
from django.db.models.functions import Now
from django_q.cluster import Cluster

from workflows import claim, draining, housekeeping, processes, pulse
from workflows.models import Step, Worker

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
HEARTBEAT_SECONDS = 5.0
DEAF_SECONDS = 8.0
DRAIN_SECONDS = 28.0
HOUSEKEEPER_SECONDS = 1.0  # to end by itself while the cluster drains
HUNG_SECONDS = 120.0  # a round of a chore may wait for the network


class Supervisor:
    """Keeps one cluster of django-q2 working until it is told to stop."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.host = socket.gethostname()
        self.cluster: Any = None  # django-q2 has no types
        self.housekeeper: processes.Process | None = None
        self._beat_at = 0.0
        self._reached_at = 0.0

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then drain for at most 28 s."""
        processes.install()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._start()
        while not self.stopping.wait(LOOK_SECONDS):
            trouble = self._look()
            self._keep_house()
            if trouble:
                log.error("restarting the cluster: %s", trouble)
                self._kill()
                self._start()
        self._drain()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        draining.request()
        self.stopping.set()

    def _start(self) -> None:
        connections.close_all()  # a forked child must not inherit an open connection
        self.cluster = Cluster()
        for number in (signal.SIGTERM, signal.SIGINT):  # Cluster() took them
            signal.signal(number, self._stop)
        self._reached_at = time.monotonic()
        self.cluster.start()
        log.info("working with %d processes", settings.WORKERS)

    def _keep_house(self) -> None:
        """Start the housekeeper, again if it died or hangs."""
        keeper = self.housekeeper
        if keeper is not None and keeper.is_alive():
            if time.monotonic() - pulse.last(pulse.Sign.HOUSEKEEPER) < HUNG_SECONDS:
                return
            log.error("the housekeeper hangs and is replaced")
            keeper.kill()
            keeper.join()
        connections.close_all()  # a forked child must not inherit an open connection
        pulse.beat(pulse.Sign.HOUSEKEEPER)
        self.housekeeper = processes.Process(target=housekeeping.run, name="housekeeper")
        self.housekeeper.start()

    def _look(self) -> str:
        """Return why the cluster must be restarted, or nothing."""
        if not self.cluster.sentinel.is_alive():
            return "its sentinel died"
        try:
            living = self._bury_the_dead()
            silent = time.monotonic() - max(self._reached_at, pulse.last()) > DEAF_SECONDS
            deaf = silent and _left_lying(living)
        except (Error, psycopg.Error) as error:
            log.warning("the watchdog cannot reach the database: %s", str(error).strip())
            connection.close()
            self._reached_at = time.monotonic()  # the workers cannot reach it either: their silence counts from now
            return ""
        return f"due work was left lying for {DEAF_SECONDS:.0f} s" if deaf else ""

    def _bury_the_dead(self) -> list[uuid.UUID]:
        """End the leases of this host's workers whose process is gone; return those that live."""
        living: list[uuid.UUID] = []
        dead: list[uuid.UUID] = []
        for worker_id, pid in Worker.objects.filter(host=self.host, stopped_at=None).values_list("id", "pid"):
            (living if _alive(pid) else dead).append(worker_id)
        for worker_id in dead:
            ended = claim.expire(worker_id)
            if not Step.objects.filter(state="running", leased_by=worker_id).exclude(lease_expires_at__lt=Now()):
                Worker.objects.filter(id=worker_id).update(stopped_at=Now())
            if ended:
                log.warning("worker %s died while it ran a step", worker_id)
        if time.monotonic() - self._beat_at > HEARTBEAT_SECONDS:
            self._beat_at = time.monotonic()
            Worker.objects.filter(id__in=living).update(heartbeat_at=Now())
        return living

    def _drain(self) -> None:
        log.info("draining")
        self.cluster.stop_event.set()
        self.cluster.sentinel.join(DRAIN_SECONDS)
        if self.cluster.sentinel.is_alive():
            log.error("not drained within %.0f s: the steps under way will be run again", DRAIN_SECONDS)
            self._kill()
        if self.housekeeper is not None:
            self.housekeeper.join(HOUSEKEEPER_SECONDS)
            self.housekeeper.kill()
        try:
            self._bury_the_dead()
        except (Error, psycopg.Error) as error:
            log.warning("workers could not be signed off: %s", str(error).strip())

    def _kill(self) -> None:
        """Kill the sentinel; the kernel takes its children with it."""
        self.cluster.sentinel.kill()
        self.cluster.sentinel.join()


def _left_lying(living: list[uuid.UUID]) -> bool:
    """Tell whether a step that we serve has long been due although none of our workers holds one."""
    served = frozenset(settings.WORKER_QUEUES)
    waits = [seconds for queue, _, seconds in claim.pairs() if not served or queue in served]
    if not any(seconds < -DEAF_SECONDS for seconds in waits):
        return False
    return not Step.objects.filter(state="running", leased_by__in=living, lease_expires_at__gt=Now()).exists()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _zombie(pid)


def _zombie(pid: int) -> bool:
    """Tell whether the process has ended and only waits for its parent to notice (Linux)."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - a kernel file
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
