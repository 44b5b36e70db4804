"""The end of a process whose handler does not even stop for an exception: code in C that holds the interpreter.

The kernel's own timer sends a signal that nobody else uses. What answers it is written in C too: it prints where every
thread is, and the process ends of the signal. To arm and to disarm it is one call into the kernel each. Where there is
no such timer (macOS), a thread of `faulthandler` does the same, started for each attempt, at twenty times the cost.
"""

import ctypes
import faulthandler
import os
import signal
import sys
from contextlib import suppress
from typing import Any

STDERR = 2  # the descriptor: sys.stderr records the handler's prints while it runs
_CLOCK_MONOTONIC, _SIGEV_SIGNAL = 1, 0


class _Event(ctypes.Structure):
    """`struct sigevent`: what happens when the time is up."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 48),
    )


class _Setting(ctypes.Structure):
    """`struct itimerspec`: how often, and in how long; no time at all disarms it."""

    _fields_ = (
        ("again_seconds", ctypes.c_long),
        ("again_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )


class _Timer:
    """A timer of the kernel, made for this process; it does not pass to a forked child."""

    def __init__(self, libc: Any) -> None:
        number = signal.SIGRTMAX - 1
        faulthandler.unregister(number)  # of a parent
        signal.signal(number, signal.SIG_DFL)  # to end the process, which is what `chain` comes to
        faulthandler.register(number, file=STDERR, all_threads=True, chain=True)
        made, event = ctypes.c_void_p(), _Event(signal=number, notify=_SIGEV_SIGNAL)
        if libc.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(made)):
            raise OSError(ctypes.get_errno(), "timer_create")
        self._made, self._set = made, libc.timer_settime
        self._armed, self._disarmed = _Setting(), _Setting()

    def arm(self, seconds: float) -> None:
        self._armed.seconds, self._armed.nanoseconds = int(seconds), int(seconds % 1 * 1e9)
        self._write(self._armed)

    def disarm(self) -> None:
        self._write(self._disarmed)

    def _write(self, setting: _Setting) -> None:
        if self._set(self._made, 0, ctypes.byref(setting), None):
            raise OSError(ctypes.get_errno(), "timer_settime")


class _Thread:
    """What does it without a timer of the kernel."""

    def arm(self, seconds: float) -> None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=STDERR)

    def disarm(self) -> None:
        faulthandler.cancel_dump_traceback_later()


_LIBC: Any = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_way: _Timer | _Thread | None = None


def arm(seconds: float) -> None:
    """End this process in so many seconds. Called in the main thread."""
    global _way  # noqa: PLW0603 - one per process is the point
    if _way is None:
        _way = _made()
    _way.arm(seconds)


def disarm() -> None:
    """Let this process live."""
    if _way is not None:
        _way.disarm()


def _made() -> _Timer | _Thread:
    if hasattr(_LIBC, "timer_create"):
        with suppress(OSError):  # as many as this user may have (RLIMIT_SIGPENDING)
            return _Timer(_LIBC)
    return _Thread()


def _forget() -> None:
    global _way  # noqa: PLW0603 - a forked child has no timer yet
    _way = None


os.register_at_fork(after_in_child=_forget)
