"""What several branches mean for the run: running while one of them is busy, waiting while all of them wait."""

import uuid

from workflows.sql import Statement

_LOCK = Statement("SELECT state FROM run WHERE id = :run FOR NO KEY UPDATE")
# What a person or a system outside has to do counts before what time will bring.
_SETTLE = Statement(
    """
    UPDATE run r SET state = x.state, reason = x.reason
    FROM (
        SELECT CASE WHEN bool_or(rest = '') THEN 'running' ELSE 'waiting' END AS state,
            CASE WHEN bool_or(rest = '') THEN '' ELSE coalesce((array_agg(rest ORDER BY array_position(
                ARRAY['blocked', 'person', 'event', 'child', 'back_off', 'timer'], rest::text))
                FILTER (WHERE rest NOT IN ('fork', 'parked')))[1], '') END AS reason
        FROM branch WHERE run_id = :run AND state = 'open' AND rest <> 'fork') x
    WHERE r.id = :run AND r.state IN ('running', 'waiting', 'pending') AND x.state IS NOT NULL
        AND (r.state, r.reason) IS DISTINCT FROM (x.state, x.reason)
    """
)


def lock(run: uuid.UUID) -> None:
    """Take the run's lock first: what is read of its branches afterwards stays true until the commit."""
    _LOCK.rows({"run": run})


def settle(run: uuid.UUID) -> None:
    """Write the run's state as its branches have it, in the transaction that holds its lock."""
    _SETTLE.rows({"run": run})
