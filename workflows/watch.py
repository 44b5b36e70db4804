"""Find the processes of a cluster that died, froze or hang, end what does not end by itself, free what they held.

What other hosts held is freed by its lease. A lease that ran out says nothing while the database takes no writes, and
for a moment after: those who live renew theirs first.

A frozen process (SIGSTOP, a debugger) is known from the kernel, a hanging one from its own signs of life: neither can
be asked. Both are ended with SIGKILL, which needs no cooperation; django-q2's sentinel starts others in their place.
"""

import logging
import os
import signal
import time
import uuid
from contextlib import suppress
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Now

from actions.alarm import GRACE_SECONDS
from dotdo_site.lib import process_state
from workflows import claim, draining, pulse, wake
from workflows.models import Step, Worker
from workflows.pulse import Life, Sign

log = logging.getLogger(__name__)
FROZEN_SECONDS = 2.0
LATE_SECONDS = 2.0  # the handler's own process should have ended itself by then
ASLEEP_SECONDS = 1.5  # we were frozen ourselves: what we saw before says nothing
STRANGER_SECONDS = 2.0  # another watch on this machine knows better why its worker died
HEARTBEAT_SECONDS = 5.0
FORGOTTEN = timedelta(hours=1)
REAP_SECONDS = 1.0
RENEWED_SECONDS = 5.0  # after an outage every worker that lives has renewed its lease, or recorded what it did
LINGERING_SECONDS = 5.0  # after SIGKILL: what is still there waits in the kernel, where no signal reaches it
# Of the housekeeper: longer than the longest statement of a chore, and than it takes to report it (`lanes`).
SILENT_SECONDS = {Sign.SENTINEL: 20.0, Sign.PUSHER: 20.0, Sign.MONITOR: 20.0, Sign.HOUSEKEEPER: 360.0}
ENDED = "The cluster was stopped, for a deploy perhaps, and this attempt did not end in time: it was ended."
DIED = "The worker's process ended during this attempt: it was killed, or it crashed."
FROZE = f"The worker's process was frozen, and was ended after {FROZEN_SECONDS:.0f} s."
OVERDUE = f"The handler did not stop within {GRACE_SECONDS:.0f} s after its time limit; its process was ended."


class Watch:
    """Looks at the processes of this cluster, and at the workers of this place that nobody looks after any more."""

    def __init__(self) -> None:
        self.place = process_state.place()
        self.judging_since = self._looked_at = time.monotonic()
        self.spared: frozenset[int] = frozenset()  # slots that may be silent
        self._stopped: dict[int, float] = {}
        self._frozen: set[tuple[int, int]] = set()
        self._killed: dict[tuple[int, int], float] = {}
        self._dead_since: dict[uuid.UUID, float] = {}
        self._beat_at = self._reaped_at = 0.0
        self.unburied = False
        self.drained = False  # what has not ended by itself was ended by us

    def excuse(self) -> None:
        """Count the silence of processes, and of hosts, from now: something else kept them."""
        self.judging_since = time.monotonic()

    def rested(self) -> None:
        """Say that a look is over: only what passes until the next one can be sleep of our own."""
        self._looked_at = time.monotonic()

    def end_the_stuck(self) -> None:
        """Kill the processes of this cluster that froze or hang. Needs no database."""
        now = time.monotonic()
        if now - self._looked_at > ASLEEP_SECONDS:
            self.judging_since = now
            self._stopped.clear()
        for life in pulse.lives():
            if life.pid != os.getpid() and life.slot != Sign.MAIN and life.alive:
                self._judge(life, now)

    def end_its_children(self) -> None:
        """Kill what the sentinel started, itself being killed in vain."""
        for life in pulse.lives():
            if life.slot not in (Sign.MAIN, Sign.HOUSEKEEPER, Sign.SENTINEL) and life.alive:
                with suppress(ProcessLookupError):
                    os.kill(life.pid, signal.SIGKILL)

    def lingers(self, life: Life) -> bool:
        """Tell whether a process whose parent still waits for it was killed, or ended, some seconds ago."""
        now, who = time.monotonic(), (life.pid, life.born)
        since = self._killed.get(who, now) if life.alive else self._killed.setdefault(who, now)
        return now - since > LINGERING_SECONDS

    def bury(self) -> list[uuid.UUID]:
        """Free the steps of this place's workers whose process is gone; return this cluster's that live. Raises Error.

        Those of other places go by their lease.
        """
        living: list[uuid.UUID] = []
        ours: list[uuid.UUID] = []
        self.unburied = False
        known = {(life.pid, life.born): life for life in pulse.lives()}
        now = time.monotonic()
        own = Q(stopped_at=None) | Q(pid__in=[life.pid for life in known.values() if life.alive])
        rows = Worker.objects.filter(own, place=self.place).values_list(
            "id", "pid", "born", "stopped_at", "draining_at"
        )
        for worker, pid, born, stopped_at, draining_at in rows:
            if process_state.alive(pid, born):
                living.append(worker)
                if (pid, born) in known:
                    ours.append(worker)
                    pulse.drain(known[pid, born].slot, draining_at is not None)
                if stopped_at is not None:  # another host, cut off from the database no longer, took us for lost
                    Worker.objects.filter(id=worker).update(stopped_at=None)
            elif stopped_at is not None:
                continue  # an earlier process with this pid
            elif (pid, born) in known or now - self._dead_since.setdefault(worker, now) > STRANGER_SECONDS:
                self._free(worker, known.get((pid, born)))
        if time.monotonic() - now > ASLEEP_SECONDS:  # it was away, and a pooler kept us waiting
            self.excuse()
        self._reap()
        self._beat(living)
        return ours

    def _judge(self, life: Life, now: float) -> None:
        if process_state.stopped(life.pid):
            if now - self._stopped.setdefault(life.pid, now) < FROZEN_SECONDS:
                return
            self._frozen.add((life.pid, life.born))
            trouble = f"was frozen for {FROZEN_SECONDS:.0f} s"
        else:
            self._stopped.pop(life.pid, None)
            trouble = self._hangs(life, now)
        if trouble:
            if (life.pid, life.born) not in self._killed:
                log.error("the %s (process %d) %s and is killed", pulse.role(life.slot), life.pid, trouble)
            self._killed.setdefault((life.pid, life.born), now)
            with suppress(ProcessLookupError):
                os.kill(life.pid, signal.SIGKILL)

    def _hangs(self, life: Life, now: float) -> str:
        if life.limit and now > max(life.limit, self.judging_since) + LATE_SECONDS:
            return "did not end a handler whose time is up"
        patience = SILENT_SECONDS.get(life.slot)  # type: ignore[call-overload]
        if patience is None or life.slot in self.spared or draining.requested():
            return ""
        if now - max(life.moment, self.judging_since) < patience:
            return ""
        return f"gave no sign for {patience:.0f} s"

    def _free(self, worker: uuid.UUID, life: Life | None) -> None:
        if life is not None and (life.pid, life.born) in self._frozen:
            why, freed = FROZE, claim.bury(worker, FROZE)
        elif life is not None and 0 < life.limit <= time.monotonic():
            why, freed = OVERDUE, claim.cut_off(worker, OVERDUE)
        elif self.drained:
            why, freed = ENDED, claim.hand_back(worker, ENDED)
        else:
            why, freed = DIED, claim.bury(worker, DIED)
        if Step.objects.filter(state="running", leased_by=worker).exists():  # its session has not ended yet
            self.unburied = True
        else:
            Worker.objects.filter(id=worker).update(stopped_at=Now())
            self._dead_since.pop(worker, None)
        if freed:
            log.warning("a step lost its worker %s and is free again. %s", worker, why)
            wake.workers()

    def _reap(self) -> None:
        """Free what was leased for too long. It writes each time, so a database that takes no writes is noticed."""
        if time.monotonic() - self._reaped_at < REAP_SECONDS:
            return
        self._reaped_at = time.monotonic()
        freed = claim.reap(signed_off=not self._all_renewed())
        if freed:
            log.warning("%d steps lost their worker and go back to the queue", len(freed))
            wake.workers()

    def _all_renewed(self) -> bool:
        """Tell whether every worker that lives has had the time to say so since the database was last away."""
        return time.monotonic() - self.judging_since > min(RENEWED_SECONDS, settings.LEASE_SECONDS)

    def _beat(self, living: list[uuid.UUID]) -> None:
        if time.monotonic() - self._beat_at < HEARTBEAT_SECONDS:
            return
        self._beat_at = time.monotonic()
        Worker.objects.filter(id__in=living).update(heartbeat_at=Now())
        if self._all_renewed():
            forgotten = Worker.objects.filter(stopped_at=None, heartbeat_at__lt=Now() - FORGOTTEN)
            forgotten.update(stopped_at=F("heartbeat_at"))  # of a host that was lost: nobody there says so
