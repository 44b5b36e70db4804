"""Request limits that all processes share, without a write per request.

A process takes requests out of the shared count in batches (one UPSERT for `limit / 30` of them) and hands them out
from memory. What it does not use in the window is lost: the limit can be a little tighter than stated, never looser.
A subject that is over its limit is refused from memory until its window ends, so a flood costs no writes at all.
"""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

WINDOW_SECONDS = 60
SUBJECTS_IN_MEMORY = 10_000
_TAKE = """
INSERT INTO rate_window (subject, started_at, used) VALUES (%(subject)s, %(started)s, %(batch)s)
ON CONFLICT (subject) DO UPDATE SET
  used = EXCLUDED.used + CASE WHEN rate_window.started_at >= EXCLUDED.started_at THEN rate_window.used ELSE 0 END,
  started_at = greatest(rate_window.started_at, EXCLUDED.started_at)
RETURNING used
"""
_PRUNE = """
DELETE FROM rate_window WHERE subject IN (
  SELECT subject FROM rate_window WHERE started_at < %(started)s - interval '1 hour'
  ORDER BY started_at LIMIT 100 FOR UPDATE SKIP LOCKED)
"""


@dataclass(slots=True)
class _Share:
    started: int
    left: int


class Rate:
    """A limit per subject and minute."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.batch = max(1, limit // 30)
        self._shares: dict[str, _Share] = {}
        self._lock = threading.Lock()

    def take(self, subject: str, now: float | None = None) -> float | None:
        """Count one request; return None when it is allowed, or the seconds until the next window."""
        at = time.time() if now is None else now
        started = int(at) - int(at) % WINDOW_SECONDS
        with self._lock:
            share = self._share(subject, started)
            if share.left > 0:
                share.left -= 1
                return None
        return started + WINDOW_SECONDS - at

    def _share(self, subject: str, started: int) -> _Share:
        share = self._shares.get(subject)
        if share is None or share.started < started:
            self._forget_old(started)
            share = self._shares[subject] = _Share(started, self._granted(subject, started))
        elif share.left == 0:
            share.left = self._granted(subject, started) or -1  # -1: refused until the window ends
        return share

    def _granted(self, subject: str, started: int) -> int:
        values: dict[str, Any] = {
            "subject": subject,
            "started": datetime.fromtimestamp(started, UTC),
            "batch": self.batch,
        }
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, values)
            used = int(cursor.fetchone()[0])
            if used == self.batch:
                cursor.execute(_PRUNE, values)
        return max(0, min(self.batch, self.limit - (used - self.batch)))

    def _forget_old(self, started: int) -> None:
        if len(self._shares) >= SUBJECTS_IN_MEMORY:
            self._shares = {name: share for name, share in self._shares.items() if share.started == started}
