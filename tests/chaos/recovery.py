"""How long it takes until work goes on: after the death of a process, and after a restart of the database.

A thread of its own looks every 20 ms, past the proxy: at the steps that a killed process held, until each is leased by
somebody else or rests free; and at the audit trail, until it grows again.
"""

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from tests.chaos.arena import superuser

LOOK_SECONDS = 0.02
HELD = """
SELECT s.id, s.claim FROM step s JOIN worker w ON w.id = s.leased_by
WHERE s.state = 'running' AND w.stopped_at IS NULL AND w.pid = ANY(%s)
"""
STILL_HELD = """
SELECT s.id FROM step s JOIN unnest(%s::uuid[], %s::bigint[]) AS held (id, claim) ON held.id = s.id
WHERE s.state = 'running' AND s.claim = held.claim
"""
GROWN = "SELECT coalesce(max(id), 0) FROM audit_event"


@dataclass
class Recovery:
    """Measured seconds by what was killed, and after database restarts; `idle_kills` hit nobody that held a step."""

    var: Path
    after_kill: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    after_restart: list[float] = field(default_factory=list)
    idle_kills: int = 0
    _held: dict[tuple[UUID, int], tuple[str, float]] = field(default_factory=dict)
    _gone: bool = False
    _back_at: float = 0.0
    _events: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)
    _connection: "psycopg.Connection[tuple[Any, ...]] | None" = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join(10)

    def about_to_lose(self, whom: str, pids: list[int]) -> None:
        """Note what the processes hold that are killed or stopped in the next moment."""
        try:
            with superuser(self.var) as connection:
                held = connection.execute(HELD, [pids]).fetchall()
        except psycopg.Error:
            return
        self.idle_kills += not held
        with self._lock:
            self._held |= {(step, claim): (whom, time.monotonic()) for step, claim in held}

    def database_is_gone(self) -> None:
        """Note that the server has ended: from the moment when it answers again, progress is waited for."""
        self._gone = True

    def open(self) -> int:
        """Return how many steps of killed processes are still held."""
        return len(self._held)

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            if not (self._held or self._back_at or self._gone):
                continue
            try:
                if self._connection is None or self._gone:
                    self._connection = superuser(self.var)
                self._look(self._connection)
            except psycopg.Error:
                self._connection = None

    def _look(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        if self._gone or self._back_at:
            self._look_at_the_trail(connection)
        with self._lock:
            watched = dict(self._held)
        if not watched:
            return
        ids, claims = zip(*watched, strict=True)
        held = {row[0] for row in connection.execute(STILL_HELD, [list(ids), list(claims)])}
        now = time.monotonic()
        for (step, claim), (whom, at) in watched.items():
            if step not in held:
                self.after_kill[whom].append(now - at)
                with self._lock:
                    self._held.pop((step, claim), None)

    def _look_at_the_trail(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        row = connection.execute(GROWN).fetchone()
        events = int(row[0]) if row is not None else 0
        if self._gone:
            self._gone, self._events, self._back_at = False, events, time.monotonic()
        elif events > self._events:
            self.after_restart.append(time.monotonic() - self._back_at)
            self._back_at = 0.0
