"""Run django-q2's cluster under a watchdog that believes in progress, not in process ids.

Twice a second it ends processes that froze or hang, frees the steps of workers that died (they go on within seconds,
not after a lease), and starts the whole cluster again when its sentinel is gone, or when due work is left lying while
no worker is busy or looks. The housekeeper, a process of its own, is watched in the same way, and watches in return:
while this process is silent, its `understudy` does the work.
"""

import logging
import os
import signal
import threading
import time
import uuid
from types import FrameType

import psycopg
from django.conf import settings
from django.db import Error, connection, connections
from django.db.models.functions import Now
from django_q.cluster import Sentinel

from dotdo_site.lib import process_state
from workflows import claim, draining, lanes, processes, pulse, understudy
from workflows.models import Step
from workflows.pulse import Sign
from workflows.watch import Watch

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
DEAF_SECONDS = 8.0
DRAIN_SECONDS = 28.0
BACK_OFF_SECONDS = 1.0
HOUSEKEEPER_SECONDS = 1.0  # to end by itself while the cluster drains
LAST_LOOKS = 4  # the session of a worker that has just died may still hold its step


class Supervisor:
    """Keeps one cluster of django-q2 working until it is told to stop."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.watch = Watch()
        self.sentinel: processes.Process | None = None
        self.stop = processes.Flag()
        self.housekeeper: processes.Process | None = None
        self._stuck: list[processes.Process] = []  # housekeepers that were killed and do not go
        self._started_at = 0.0
        self._none_lay_at = 0.0  # when work was last seen not to be left lying

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then drain for at most 28 s."""
        processes.install()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        pulse.clear(Sign.MAIN)
        pulse.enter(Sign.MAIN, os.getpid())
        pulse.own(Sign.MAIN)
        process_state.name("dotdo:main")
        self._start()
        while not self.stopping.wait(LOOK_SECONDS):
            pulse.sign()
            trouble = self._look()
            self.watch.rested()
            if trouble:
                log.error("restarting the cluster: %s", trouble)
                self._kill()
                self._start()
            self._keep_house()
        self._drain()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        draining.request()
        self.stopping.set()

    def _start(self) -> None:
        """Start the sentinel, which starts the rest; one that dies at once is not started again at once."""
        self.stopping.wait(max(0.0, self._started_at + BACK_OFF_SECONDS - time.monotonic()))
        connections.close_all()  # a forked child must not inherit an open connection
        self.stop = processes.Flag()
        self.sentinel = processes.Process(target=Sentinel, args=(self.stop, processes.Flag(), uuid.uuid4()))
        self.sentinel.start()
        self._started_at = self._none_lay_at = time.monotonic()
        log.info("working with %d processes", settings.WORKERS)

    def _keep_house(self) -> None:
        """Start the housekeeper, again if it died, or was killed and does not go: a disk that hangs holds it.

        While one is held its successor may be silent as well: killing that would only leave another one behind, and
        its other lanes do their chores.
        """
        self._stuck = [house for house in self._stuck if house.is_alive()]
        if self.housekeeper is not None and self.housekeeper.is_alive():
            if not self.watch.lingers(pulse.read(Sign.HOUSEKEEPER)):
                self.watch.spared = frozenset({Sign.HOUSEKEEPER} if self._stuck else ())
                return
            log.critical(
                "the housekeeper (process %s) was killed and does not go; another one is started", self.housekeeper.pid
            )
            self._stuck.append(self.housekeeper)
        connections.close_all()
        self.housekeeper = processes.Process(target=_house, slot=Sign.HOUSEKEEPER, name="housekeeper")
        self.housekeeper.start()

    def _look(self) -> str:
        """Return why the cluster must be restarted, or nothing."""
        self.watch.end_the_stuck()
        if self.sentinel is None or not self.sentinel.is_alive():
            return "its sentinel died"
        try:
            living = self.watch.bury()
            deaf = self._deaf(living)
        except (Error, psycopg.Error) as error:
            log.warning("the watchdog cannot reach the database: %s", str(error).strip())
            connection.close()
            self.watch.excuse()  # the workers cannot reach it either
            return ""
        return f"due work was left lying for {DEAF_SECONDS:.0f} s" if deaf else ""

    def _deaf(self, living: list[uuid.UUID]) -> bool:
        """Tell whether work has been lying for long, by our own clock: the database's goes on while we sleep."""
        now = time.monotonic()
        lying = now - max(self._none_lay_at, self.watch.judging_since, pulse.last())
        if lying > LOOK_SECONDS / 2 and not _left_lying(living):
            self._none_lay_at = now
            return False
        return lying > DEAF_SECONDS

    def _drain(self) -> None:
        log.info("draining")
        self.stop.set()
        self._wait_for_sentinel()
        if self.sentinel is not None and self.sentinel.is_alive():
            log.error("not drained within %.0f s: the steps under way will be run again", DRAIN_SECONDS)
            self._kill()
        if self.housekeeper is not None:
            self.housekeeper.join(HOUSEKEEPER_SECONDS)
            self.housekeeper.kill()
            self.housekeeper.join(HOUSEKEEPER_SECONDS)
        self._sign_off()
        if any(house.is_alive() for house in (*self._stuck, self.housekeeper) if house is not None):
            log.critical("a housekeeper was killed and does not go: it is left behind")
            logging.shutdown()
            os._exit(0)  # `multiprocessing` would wait for it at the exit

    def _wait_for_sentinel(self) -> None:
        """Wait until everything under way has ended, without waiting for processes that froze."""
        until = time.monotonic() + DRAIN_SECONDS
        while self.sentinel is not None and self.sentinel.is_alive() and time.monotonic() < until:
            self.sentinel.join(LOOK_SECONDS)
            pulse.sign()
            self.watch.end_the_stuck()
            self.watch.rested()

    def _sign_off(self) -> None:
        """Free what the workers held that did not end by themselves."""
        try:
            for _ in range(LAST_LOOKS):
                if not self.watch.bury() and not self.watch.unburied:
                    return
                time.sleep(LOOK_SECONDS / LAST_LOOKS)
        except (Error, psycopg.Error) as error:
            log.warning("workers could not be signed off: %s", str(error).strip())

    def _kill(self) -> None:
        """Kill the sentinel; the kernel takes its children with it."""
        if self.sentinel is not None:
            self.sentinel.kill()
            self.sentinel.join()


def _house() -> None:
    understudy.begin()
    lanes.run()


def _left_lying(living: list[uuid.UUID]) -> bool:
    """Tell whether a step that we serve is due although none of our workers holds one."""
    served = frozenset(settings.WORKER_QUEUES)
    waits = [seconds for queue, _, seconds in claim.pairs() if not served or queue in served]
    if not any(seconds < 0 for seconds in waits):
        return False
    return not Step.objects.filter(state="running", leased_by__in=living, lease_expires_at__gt=Now()).exists()
