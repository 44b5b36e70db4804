"""A time limit on code that does not cooperate: SIGALRM in the main thread, behind it a hard stop of the process."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

from actions import hard_stop

T = TypeVar("T")

GRACE_SECONDS = 5.0
AGAIN_SECONDS = 1.0
_current: "list[Alarm]" = []


class HandlerTimeout(BaseException):
    """The handler's time is up. A BaseException, so that `except Exception` in a handler does not swallow it."""


class Alarm:
    """Runs one function under a limit; `fired` tells afterwards whether the time was up, even if that was swallowed.

    With `hard_stop` the process is a worker's own: SIGALRM stays ours from the first attempt on. Elsewhere its owner
    gets it back each time.
    """

    def __init__(self, seconds: float, *, hard_stop: bool) -> None:
        self.seconds, self.hard_stop = seconds, hard_stop
        self.armed = self.fired = self.ticks = False

    def run(self, function: Callable[[], T]) -> T:
        """Return what the function returns. Raises HandlerTimeout in the main thread; elsewhere there is no limit."""
        if threading.current_thread() is not threading.main_thread():
            return function()
        owner = signal.getsignal(signal.SIGALRM)
        if owner is not _ring:  # a handler may have taken it and not given it back
            signal.signal(signal.SIGALRM, _ring)
        _current.append(self)
        try:
            return self._run_armed(function)
        finally:
            self.armed = False
            self._disarm()
            _current.pop()
            if owner not in (_ring, None) and not self.hard_stop:  # None: a library in C, which cannot get it back
                signal.signal(signal.SIGALRM, owner)

    def _run_armed(self, function: Callable[[], T]) -> T:
        try:
            self.ticks = True
            if self.hard_stop:
                hard_stop.arm(self.seconds + GRACE_SECONDS)
            self.armed = True
            # It rings again, for handlers that catch everything.
            signal.setitimer(signal.ITIMER_REAL, self.seconds, AGAIN_SECONDS)
            return function()
        finally:
            self.armed = False
            self._disarm()

    def _disarm(self) -> None:
        if self.ticks:  # it is called twice, in case it rings within the first call
            signal.setitimer(signal.ITIMER_REAL, 0)
            if self.hard_stop:
                hard_stop.disarm()
            self.ticks = False


def _ring(_number: int, _frame: FrameType | None) -> Any:
    for alarm in _current[-1:]:
        alarm.fired = True
        if alarm.armed:
            raise HandlerTimeout
