"""Who watches the watchdog: a thread of the housekeeper, which steps in while the supervising process is silent.

A supervising process that was frozen is told to go on. While it does not (a debugger holds it, or it hangs), its looks
are done here, so that a worker that dies now is found as soon as ever. Only what nobody but it can do, starting the
sentinel again, is left to those who started it: it is killed, and everything with it.
"""

import logging
import os
import signal
import threading
import time

import psycopg
from django.db import Error, connection

from dotdo_site.lib import process_state
from workflows import pulse
from workflows.pulse import Life, Sign
from workflows.watch import FROZEN_SECONDS, Watch

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
SILENT_SECONDS = 4.0
GIVEN_UP_SECONDS = 10.0


def begin() -> None:
    """Watch from now on, beside what this process does."""
    threading.Thread(target=_watch, name="understudy", daemon=True).start()


def _watch() -> None:
    watch, waking = Watch(), _Waking()
    while True:
        time.sleep(LOOK_SECONDS)
        main, now = pulse.read(Sign.MAIN), time.monotonic()
        waking.look(main.pid, now)
        if now - main.moment > SILENT_SECONDS:
            _stand_in(watch, main, now)


class _Waking:
    """Tells a process that was stopped to go on; one that a debugger holds does not hear it, and is told in vain."""

    def __init__(self) -> None:
        self._stopped_since = 0.0
        self._told = False

    def look(self, pid: int, now: float) -> None:
        """Look once; what happens again and again is said once."""
        if not process_state.stopped(pid):
            self._stopped_since, self._told = 0.0, False
            return
        self._stopped_since = self._stopped_since or now
        if now - self._stopped_since >= FROZEN_SECONDS:
            if not self._told:
                log.error("the supervising process (%d) was frozen and is told to go on", pid)
            os.kill(pid, signal.SIGCONT)
            self._stopped_since, self._told = now, True


def _stand_in(watch: Watch, main: Life, now: float) -> None:
    watch.end_the_stuck()
    if now - main.moment > GIVEN_UP_SECONDS and not pulse.read(Sign.SENTINEL).alive:
        log.critical("the supervising process (%d) hangs and the sentinel died: everything is ended", main.pid)
        os.kill(main.pid, signal.SIGKILL)
    try:
        watch.bury()
    except (Error, psycopg.Error) as error:
        log.warning("the understudy cannot reach the database: %s", str(error).strip())
        watch.excuse()
    watch.rested()
    connection.close()
