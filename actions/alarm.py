"""A time limit on code that does not cooperate: SIGALRM in the main thread, behind it a hard stop of the process."""

import faulthandler
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

GRACE_SECONDS = 5.0
STDERR = 2  # the descriptor: sys.stderr records the handler's prints while it runs
AGAIN_SECONDS = 1.0


class HandlerTimeout(BaseException):
    """The handler's time is up. A BaseException, so that `except Exception` in a handler does not swallow it."""


class Alarm:
    """Runs one function under a limit; `fired` tells afterwards whether the time was up, even if that was swallowed."""

    def __init__(self, seconds: float, *, hard_stop: bool) -> None:
        self.seconds, self.hard_stop = seconds, hard_stop
        self.armed = self.fired = self.watched = False

    def run(self, function: Callable[[], T]) -> T:
        """Return what the function returns. Raises HandlerTimeout in the main thread; elsewhere there is no limit."""
        if threading.current_thread() is not threading.main_thread():
            return function()
        previous = signal.signal(signal.SIGALRM, self._ring)
        try:
            return self._run_armed(function)
        finally:
            self.armed = False
            self._disarm()
            signal.signal(signal.SIGALRM, previous)

    def _run_armed(self, function: Callable[[], T]) -> T:
        try:
            if self.hard_stop:
                # A C thread: it fires even when the handler holds the interpreter's lock.
                self.watched = True
                faulthandler.dump_traceback_later(self.seconds + GRACE_SECONDS, exit=True, file=STDERR)
            self.armed = True
            # It rings again, for handlers that catch everything.
            signal.setitimer(signal.ITIMER_REAL, self.seconds, AGAIN_SECONDS)
            return function()
        finally:
            self.armed = False
            self._disarm()

    def _disarm(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self.watched:
            faulthandler.cancel_dump_traceback_later()
            self.watched = False

    def _ring(self, _number: int, _frame: FrameType | None) -> Any:
        self.fired = True
        if self.armed:
            raise HandlerTimeout
