"""The rows of all runs as they are: what the stateful test compares before and after each rule."""

import uuid
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from workflows.states import RUN_FINAL

TABLES = (
    *("run", "branch", "step", "attempt", "payload", "idempotency_key", "event", "message", "subscription"),
    *("schedule_fire", "entry", "undo", "audit_event"),
)
_STEPS = """
SELECT id, run_id, name, kind, function, state, claim, wake, attempt, leased_by, lease_expires_at IS NOT NULL FROM step
"""
_PRINT = " UNION ALL ".join(f"SELECT '{table}', md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t"
                            for table in TABLES)  # fmt: skip
# All listens of the test take `paid`, and what lies in the mailbox of a run is for whoever listens there first.
_FORGOTTEN = """
SELECT DISTINCT s.name FROM step s JOIN message m ON m.run_id = s.run_id AND m.consumed_at IS NULL
    AND (m.step_id IS NULL OR m.step_id = s.id) JOIN event e ON e.id = m.event_id
WHERE s.kind = 'listen' AND s.state = 'waiting' AND e.type = 'paid'
"""


class StepRow(NamedTuple):
    """A step as far as leases and fences are concerned."""

    id: uuid.UUID
    run: uuid.UUID
    name: str
    kind: str
    function: str
    state: str
    claim: int
    wake: int
    attempt: int
    leased_by: uuid.UUID | None
    leased: bool


class RunRow(NamedTuple):
    """A run and what its mailbox has counted."""

    id: uuid.UUID
    name: str
    key: str
    state: str
    reason: str
    mail_seq: int
    resolved: bool


@dataclass(frozen=True)
class World:
    """Everything that was committed. `revisions` holds (revision, number of the last audit link) of each branch."""

    runs: dict[uuid.UUID, RunRow]
    steps: dict[uuid.UUID, StepRow]
    revisions: dict[uuid.UUID, tuple[int, int]]
    branches: dict[uuid.UUID, uuid.UUID]
    effects: Counter[tuple[uuid.UUID, str]]

    def idle(self, run: uuid.UUID) -> list[StepRow]:
        """Return the steps of a run that nobody works on and that have not ended, oldest first."""
        return [s for s in self.steps.values() if s.run == run and s.state in ("ready", "waiting", "held", "failed")]

    def late(self) -> set[uuid.UUID]:
        """Return the runs that ended while a worker is at one of their steps: it finds out when it reports."""
        return {s.run for s in self.steps.values() if s.state == "running" and self.runs[s.run].state in RUN_FINAL}


def read() -> World:
    """Read it in four queries."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name, key, state, reason, mail_seq, resolved_at IS NOT NULL FROM run ORDER BY id")
        runs = {row[0]: RunRow(*row) for row in cursor.fetchall()}
        cursor.execute(_STEPS + " ORDER BY id")
        steps = {row[0]: StepRow(*row) for row in cursor.fetchall()}
        cursor.execute("SELECT id, run_id, revision, audit_seq FROM branch")
        branches = cursor.fetchall()
        cursor.execute("SELECT key FROM entry WHERE namespace = 'ledger'")
        effects = Counter(_effect(key) for (key,) in cursor.fetchall())
    return World(
        runs, steps, {row[0]: (row[2], row[3]) for row in branches}, {row[0]: row[1] for row in branches}, effects
    )


def fingerprint() -> dict[str, str]:
    """Return a digest of each table: equal ones mean that nothing at all was written."""
    with connection.cursor() as cursor:
        cursor.execute(_PRINT)
        return dict(cursor.fetchall())


def forgotten() -> list[str]:
    """Return the listening steps that rest although an event that they take lies in the mailbox of their run."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGOTTEN)
        return [name for (name,) in cursor.fetchall()]


def in_mailbox(event: uuid.UUID, run: uuid.UUID) -> bool:
    """Tell whether a run has been given an event."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM message WHERE event_id = %s AND run_id = %s", [event, run])
        return cursor.fetchone() is not None


def held(step: uuid.UUID, claim: int) -> bool:
    """Tell whether a claim still stands, asked without the product's own fence."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM step WHERE id = %s AND claim = %s AND state = 'running'", [step, claim])
        return cursor.fetchone() is not None


def _effect(key: str) -> tuple[uuid.UUID, str]:
    run, name, _ = key.split("/")
    return uuid.UUID(run), name
