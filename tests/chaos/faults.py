"""Let the scheduled faults happen, and count what really happened."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from tests.chaos.arena import Arena, superuser
from tests.chaos.plan import Fault
from tests.chaos.processes import children, descendants, roles, send, state
from tests.chaos.recovery import Recovery
from tests.support.cutting_proxy import AFTER, BEFORE

LATENCY_SECONDS = 0.05
SHORT_SECONDS = 3.0
TERMINATE = """
SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'dotdo' AND pid <> pg_backend_pid() ORDER BY pid) backends
ORDER BY md5(pid::text || %s) LIMIT 2
"""
BUSY = """
SELECT w.pid FROM worker w JOIN step s ON s.leased_by = w.id AND s.state = 'running' WHERE w.stopped_at IS NULL
"""


@dataclass
class Faults:
    """What can go wrong in an arena; `later` is what ends by itself after a while."""

    arena: Arena
    recovery: Recovery
    counts: Counter[str] = field(default_factory=Counter)
    later: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def happen(self, fault: Fault) -> bool:
        """Let one fault happen; return whether it hit anybody."""
        verb, _, whom = fault.kind.partition(" ")
        if verb == "kill":
            done = self._kill(whom, fault)
        elif verb == "stop":
            done = self._stop(whom, fault)
        elif verb == "restart":
            done = self._restart(whom)
        else:
            done = getattr(self, "_" + fault.kind.replace(" ", "_"))(fault)
        self.counts[fault.kind] += int(done)
        return bool(done)

    def tend(self) -> None:
        """End what has lasted long enough."""
        now = time.monotonic()
        due = [end for at, end in self.later if at <= now]
        self.later = [(at, end) for at, end in self.later if at > now]
        for end in due:
            end()

    def cease(self) -> None:
        """End everything that lasts."""
        for _, end in self.later:
            end()
        self.later.clear()
        self.arena.proxy.rate = self.arena.proxy.latency_seconds = 0.0
        self.arena.proxy.resume()

    def _pids(self, whom: str, fault: Fault) -> list[int]:
        """Return the processes that a fault may hit, those of its cluster first."""
        if whom in ("web", "web worker"):
            main = self.arena.web.pid()
            return [] if main is None else [main] if whom == "web" else children(main)
        tree = [roles(cluster.pid()) for cluster in self.arena.clusters]
        if whom == "busy worker":
            busy = self._busy()
            found = [[pid for pid in known.get("worker", []) if pid in busy] for known in tree]
        else:
            found = [known.get(whom, []) for known in tree]
        return found[fault.cluster] or found[1 - fault.cluster]

    def _busy(self) -> set[int]:
        try:
            with superuser(self.arena.options.var) as connection:
                return {int(pid) for (pid,) in connection.execute(BUSY)}
        except psycopg.Error:
            return set()

    def _choose(self, whom: str, fault: Fault) -> int | None:
        pids = self._pids(whom, fault)
        if not pids and whom == "busy worker":
            pids = self._pids("worker", fault)
        return pids[int(fault.draw * len(pids))] if pids else None

    def _kill(self, whom: str, fault: Fault) -> bool:
        pid = self._choose(whom, fault)
        if pid is None:
            return False
        below = [pid, *descendants(pid)]
        self.recovery.about_to_lose(whom, below)
        return send(pid, signal.SIGKILL)

    def _stop(self, whom: str, fault: Fault) -> bool:
        pid = self._choose(whom, fault)
        if pid is None or state(pid) == "T" or not send(pid, signal.SIGSTOP):
            return False
        self.later.append((time.monotonic() + fault.seconds, lambda: send(pid, signal.SIGCONT)))
        return True

    def _freeze_cluster(self, fault: Fault) -> bool:
        """Stop a whole cluster, as a paused machine does: nobody there can tell, and its workers wake up late."""
        pids = [pid for main in self._pids("cluster", fault)[:1] for pid in (main, *descendants(main))]
        self.recovery.about_to_lose("frozen cluster", pids)
        for pid in pids:
            send(pid, signal.SIGSTOP)
        self.later.append((time.monotonic() + fault.seconds, lambda: [send(pid, signal.SIGCONT) for pid in pids]))
        return bool(pids)

    def _restart(self, how: str) -> bool:
        self.arena.stop_database(signal.SIGQUIT if how == "immediate" else signal.SIGINT)
        self.recovery.database_is_gone()
        self.arena.start_database()
        return True

    def _terminate_backends(self, fault: Fault) -> bool:
        try:
            with superuser(self.arena.options.var) as connection:
                return len(connection.execute(TERMINATE, [str(fault.draw)]).fetchall()) > 0
        except psycopg.Error:
            return False

    def _latency(self, fault: Fault) -> bool:
        proxy = self.arena.proxy
        proxy.latency_seconds = LATENCY_SECONDS
        self.later.append((time.monotonic() + fault.seconds, lambda: setattr(proxy, "latency_seconds", 0.0)))
        return True

    def _hang_network(self, fault: Fault) -> bool:
        self.arena.proxy.pause()
        self.later.append((time.monotonic() + min(fault.seconds, SHORT_SECONDS), self.arena.proxy.resume))
        return True

    def _cut_commit_before(self, _: Fault) -> bool:
        self.arena.proxy.cut_next(BEFORE)
        return True

    def _cut_commit_after(self, _: Fault) -> bool:
        self.arena.proxy.cut_next(AFTER)
        return True

    def _cut_network(self, _: Fault) -> bool:
        self.arena.proxy.cut_all()
        return True
