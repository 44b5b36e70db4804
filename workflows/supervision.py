"""Run django-q2's cluster under a watchdog that believes in progress, not in process ids.

Twice a second it ends processes that froze or hang, frees the steps of workers that died (they go on within seconds,
not after a lease), and starts the whole cluster again when its sentinel is gone, or when due work is left lying while
no worker is busy or looks. The housekeeper, a process of its own, is watched in the same way, and watches in return:
while this process is silent, its `understudy` does the work.
"""

import gc
import logging
import os
import signal
import time
import uuid

import psycopg
from django.conf import settings
from django.db import Error, connection, connections
from django.db.models.functions import Now
from django_q.cluster import Sentinel

from dotdo_site.lib import process_state
from workflows import claim, draining, duty, lanes, processes, pulse, understudy, worker
from workflows.models import Step
from workflows.pulse import Sign
from workflows.watch import Watch

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
DEAF_SECONDS = 8.0
DRAIN_SECONDS = 27.0  # and 3 for what follows
BACK_OFF_SECONDS = 1.0
HOUSEKEEPER_SECONDS = 1.0  # to end by itself while the cluster drains
KILLED_SECONDS = 0.5  # what is still there waits in the kernel, and cannot be waited for
SIGN_OFF_SECONDS = 1.0
LAST_LOOKS = 4  # the session of a worker that has just died may still hold its step


class Supervisor:
    """Keeps one cluster of django-q2 working until it is told to stop."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.sentinel: processes.Process | None = None
        self.stop = processes.Flag()
        self.housekeeper: processes.Process | None = None
        self._stuck: list[processes.Process] = []  # housekeepers that were killed and do not go
        self._started_at = 0.0
        self._none_lay_at = 0.0  # when work was last seen not to be left lying

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then drain for at most 30 s.

        The signal only sets a flag without a lock: one of `threading` would be waited for by the thread that holds it.
        """
        processes.install(worker.introduce)
        duty.prepare()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: draining.request())
        pulse.clear(Sign.MAIN)
        pulse.enter(Sign.MAIN, os.getpid())
        pulse.own(Sign.MAIN)
        process_state.name("dotdo:main")
        _share_memory()
        self._start()
        while self._rest():
            pulse.sign()
            trouble = self._look()
            self.watch.rested()
            if trouble:
                log.error("restarting the cluster: %s", trouble)
                self._kill()
                self._start()
            self._keep_house()
        self._drain()

    def _rest(self) -> bool:
        """Wait until the next look; tell whether there is one."""
        time.sleep(0.0 if draining.requested() else LOOK_SECONDS)
        return not draining.requested()

    def _start(self) -> None:
        """Start the sentinel, which starts the rest; one that dies at once is not started again at once."""
        time.sleep(max(0.0, self._started_at + BACK_OFF_SECONDS - time.monotonic()))
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
        if lying > LOOK_SECONDS / 2 and (pulse.all_drained() or not _left_lying(living)):
            self._none_lay_at = now
            return False
        return lying > DEAF_SECONDS

    def _drain(self) -> None:
        """Let end what is under way, free the rest, and only then wait for what holds no step."""
        log.info("draining")
        begun = time.monotonic()
        self.stop.set()
        self._wait_for_sentinel(begun + DRAIN_SECONDS)
        if self.sentinel is not None and self.sentinel.is_alive():
            log.error("not drained within %.0f s: the steps under way will be run again", DRAIN_SECONDS)
            self._sign_off(looks=1)  # those who died by themselves
            self.watch.drained = True
            self._kill()
        self._sign_off(LAST_LOOKS)
        if self.housekeeper is not None:
            self.housekeeper.join(max(0.0, begun + HOUSEKEEPER_SECONDS - time.monotonic()))
            self.housekeeper.kill()
            self.housekeeper.join(KILLED_SECONDS)
        ended = filter(None, (*self._stuck, self.housekeeper, self.sentinel))
        left = [process.pid for process in ended if process.is_alive()]
        if left:
            log.critical("killed, do not go, and are left behind: processes %s", left)
            logging.shutdown()
            os._exit(0)  # `multiprocessing` would wait for it at the exit

    def _wait_for_sentinel(self, until: float) -> None:
        """Wait until everything under way has ended, without waiting for processes that froze."""
        while self.sentinel is not None and self.sentinel.is_alive() and time.monotonic() < until:
            self.sentinel.join(min(LOOK_SECONDS, max(0.0, until - time.monotonic())))
            pulse.sign()
            self.watch.end_the_stuck()
            self.watch.rested()

    def _sign_off(self, looks: int) -> None:
        """Free what the workers held that ended; a connection that went stale meanwhile is replaced."""
        until = time.monotonic() + SIGN_OFF_SECONDS
        for _ in range(looks):
            try:
                if not self.watch.bury() and not self.watch.unburied:
                    return
            except (Error, psycopg.Error) as error:
                log.warning("workers could not be signed off: %s", str(error).strip())
                connection.close()
            if time.monotonic() > until:
                return
            time.sleep(LOOK_SECONDS / LAST_LOOKS)

    def _kill(self) -> None:
        """Kill the sentinel; the kernel takes its children with it once it goes, which may last."""
        if self.sentinel is None:
            return
        self.sentinel.kill()
        self.sentinel.join(KILLED_SECONDS)
        if self.sentinel.is_alive():
            log.critical("the sentinel (process %s) was killed and does not go", self.sentinel.pid)
            self.watch.end_its_children()


def _house() -> None:
    understudy.begin()
    lanes.run()


def _share_memory() -> None:
    """Leave what was loaded until now out of every collection of garbage, here and in what is forked from here.

    A full collection writes into the head of each object it visits, and so copies the pages that are shared: it took a
    worker from 25 to 60 MB, and 0.1 s each time.
    """
    gc.collect()
    gc.freeze()


def _left_lying(living: list[uuid.UUID]) -> bool:
    """Tell whether a step that we serve is due although none of our workers holds one."""
    served = frozenset(settings.WORKER_QUEUES)
    waits = [seconds for queue, _, seconds in claim.pairs() if not served or queue in served]
    if not any(seconds < 0 for seconds in waits):
        return False
    return not Step.objects.filter(state="running", leased_by__in=living, lease_expires_at__gt=Now()).exists()
