"""Wake what sleeps: steps that wait for something, and workers that wait for due steps.

Workers are told by NOTIFY, after the commit, in a statement of its own: inside a transaction it would take a
database-wide lock until the commit is on disk, and end group commit. A lost notification costs one poll interval.
"""

import logging
import uuid
from collections.abc import Iterable

import psycopg
from django.db import Error, connection, transaction

from workflows.sql import Hot, Statement

log = logging.getLogger(__name__)
CHANNEL = "dotdo_due"
_NOTIFY = Hot(f"SELECT set_config('synchronous_commit', 'off', true), pg_notify('{CHANNEL}', '')")
_LOCK = Statement("SELECT id FROM step WHERE id = :step FOR NO KEY UPDATE")
# A checkpoint that rests a step compares `wake` with what it saw, so a step that runs is woken as well. A step of a
# run that is parked or suspended is held until an operator goes on with the run. Locked in the order of the ids, as
# everything that locks several steps does.
_STEPS = Statement(
    """
    WITH woken AS MATERIALIZED (
        SELECT s.id, r.state IN ('failed', 'suspended') AS stopped FROM step s JOIN run r ON r.id = s.run_id
        WHERE s.id = ANY(:steps::uuid[]) AND s.state IN ('waiting', 'ready', 'running', 'held')
        ORDER BY s.id FOR NO KEY UPDATE OF s)
    UPDATE step s SET wake = s.wake + 1, due_at = clock_timestamp(),
        state = CASE WHEN s.state <> 'waiting' THEN s.state WHEN woken.stopped THEN 'held' ELSE 'ready' END
    FROM woken WHERE s.id = woken.id RETURNING s.id
    """
)


def lock(step_id: uuid.UUID) -> None:
    """Lock a step that is going to be woken."""
    _LOCK.rows({"step": step_id})


def step(step_id: uuid.UUID) -> bool:
    """Let a step that has not ended look again at what it waits for; return whether there was one."""
    return bool(steps([step_id]))


def steps(ids: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """Wake those of the steps that have not ended, in the caller's transaction, and the workers; return which."""
    woken = [row[0] for row in _STEPS.rows({"steps": list(ids)})]
    if woken:
        workers()
    return woken


def workers() -> None:
    """Wake workers once the open transaction has committed, one time; at once when there is none."""
    # What is noted already goes with a savepoint only when that is undone, and then what was just done goes as well.
    if not any(hook[1] is _notify for hook in connection.run_on_commit):
        transaction.on_commit(_notify, robust=True)


def _notify() -> None:
    try:
        _NOTIFY.rows()
    except (Error, psycopg.Error) as error:
        log.warning("workers could not be notified, they will see it when they poll: %s", error)
