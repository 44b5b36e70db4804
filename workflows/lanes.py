"""The housekeeper's process: a thread for each kind of chore.

What comes before the dot in a chore's name is its lane. Each lane has a connection of its own, so a chore that hangs (a
disk, a mail server) keeps only its lane waiting. The process is as silent as its most silent lane: it says so in the
chore's row, and shortly after that the watchdog replaces it, which ends what hangs. A chore that takes long calls
`pulse.sign` in between.
"""

import logging
import os
import random
import signal
import threading
import time
from collections.abc import Iterable

import psycopg
from django.db import Error, connection

from workflows import draining, housekeeping, pulse
from workflows.housekeeping import Chore
from workflows.outage import is_outage
from workflows.sql import Statement

log = logging.getLogger(__name__)
LOOK_SECONDS, SELDOM_SECONDS = 0.5, 5.0
AWAY_SECONDS = 1.0
LATE_SECONDS = 330.0  # longer than the longest statement of a chore, shorter than the watchdog's patience
_HANGS = Statement("UPDATE chore SET error = :error WHERE name = :name")


class Lane(threading.Thread):
    """Does the chores of one lane, one after the other, until the cluster drains."""

    def __init__(self, name: str, chores: Iterable[Chore]) -> None:
        super().__init__(name=name, daemon=True)
        self.chores = tuple(chores)
        self.doing = ""
        self.moment = time.monotonic()
        self.reported = False

    def run(self) -> None:
        """Look for chores that are due; the lane of frequent ones looks more often."""
        pulse.sign_by(self.sign)
        next_look = time.monotonic()
        while not draining.requested():
            self.sign()
            if time.monotonic() >= next_look:
                self._look()
                often = min(chore.every() for chore in self.chores) / 4
                next_look = time.monotonic() + min(SELDOM_SECONDS, max(LOOK_SECONDS, often))
            time.sleep(LOOK_SECONDS)

    def sign(self) -> None:
        """Give a sign of life."""
        self.moment, self.reported = time.monotonic(), False

    def silence(self) -> float:
        """Return for how many seconds it gave no sign."""
        return time.monotonic() - self.moment

    def _look(self) -> None:
        try:
            housekeeping.do_due(self.chores, self._begin)
        except Exception as error:
            connection.close()
            if is_outage(error):
                log.warning("the database is away, the chores wait: %s", str(error).strip())
                time.sleep(random.uniform(0.5, 1.5) * AWAY_SECONDS)  # noqa: S311 - jitter
            else:
                log.exception("the chores of %s wait", self.name)
        self.doing = ""

    def _begin(self, chore: Chore) -> None:
        self.doing = chore.name
        self.sign()


def run() -> None:
    """Do chores until the cluster drains or the supervising process is gone."""
    for number in (signal.SIGTERM, signal.SIGINT):  # the supervising process says when to stop
        signal.signal(number, signal.SIG_IGN)
    parent = os.getppid()
    lanes = lanes_of(housekeeping.CHORES)
    for lane in lanes:
        lane.start()
    while os.getppid() == parent and any(lane.is_alive() for lane in lanes):
        look_after(lanes)
        time.sleep(LOOK_SECONDS)


def lanes_of(chores: Iterable[Chore]) -> list[Lane]:
    """Return a lane for each kind of chore."""
    kinds: dict[str, list[Chore]] = {}
    for chore in chores:
        kinds.setdefault(chore.name.partition(".")[0], []).append(chore)
    return [Lane(name, members) for name, members in kinds.items()]


def look_after(lanes: list[Lane]) -> None:
    """Give the sign of life of the most silent lane as the process's own, and say once of a chore that it hangs."""
    pulse.beat(pulse.Sign.HOUSEKEEPER, min(lane.moment for lane in lanes))
    for lane in lanes:
        if lane.silence() > LATE_SECONDS and not lane.reported and not draining.requested():
            lane.reported = True
            _report(lane.doing or lane.name, f"It has not come back for {lane.silence():.0f} s.")


def _report(name: str, trouble: str) -> None:
    log.error("the chore %s hangs. %s", name, trouble)
    try:
        _HANGS.rows({"name": name, "error": trouble})
    except (Error, psycopg.Error) as error:
        log.warning("that could not be noted: %s", str(error).strip())
    finally:
        connection.close()
