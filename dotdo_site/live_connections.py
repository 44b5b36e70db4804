"""Spare requests the question whether their connection still lives, where the answer is known.

Django asks the server before the first statement of each request, which is a round trip. A connection that worked for
another request a moment ago, and on which nothing has come since, still has its server: one that stops, restarts or
ends a session says so, or its system does.
"""

import select
import threading
import time
from typing import Any

from django.db import connection

MOMENT_SECONDS = 1
_finished = threading.local()


def note(**_: Any) -> None:
    """Remember that a request of this thread is over."""
    _finished.at = time.monotonic()


def trust(**_: Any) -> None:
    """Let the connection of this thread do without the question if it surely lives."""
    if time.monotonic() - getattr(_finished, "at", 0.0) < MOMENT_SECONDS and _is_quiet():
        connection.health_check_done = True  # type: ignore[attr-defined]


def _is_quiet() -> bool:
    """Tell whether there is a connection on which nothing has come, not even its end."""
    raw = connection.connection
    if raw is None or raw.closed:
        return False
    waiting = select.poll()
    waiting.register(raw.fileno(), select.POLLIN)
    return not waiting.poll(0)
