"""Look at how much there is of everything, each minute: what is open by state, what is due by queue.

The samples of a minute are one row, those of an hour another, so that a month is a few hundred rows.
"""

from workflows.sql import Statement

MINUTE, HOUR = 60, 3_600
MOST_DUE = 100_000  # of one queue and priority: beyond it a queue is just very long
_SAMPLE = Statement(
    """
    WITH RECURSIVE states AS (
        SELECT state, reason, count(*)::float8 AS n FROM run WHERE state IN ('pending', 'running', 'waiting')
        GROUP BY state, reason),
    pair AS (
        (SELECT queue, priority FROM step WHERE state = 'ready' ORDER BY queue, priority LIMIT 1)
        UNION ALL SELECT next.queue, next.priority FROM pair CROSS JOIN LATERAL (
            SELECT queue, priority FROM step
            WHERE state = 'ready' AND (queue, priority) > (pair.queue, pair.priority)
            ORDER BY queue, priority LIMIT 1) next),
    due AS (
        SELECT pair.queue, sum(found.n)::float8 AS n, max(found.oldest)::float8 AS oldest
        FROM pair CROSS JOIN LATERAL (
            SELECT count(*) AS n, coalesce(extract(epoch FROM now() - min(due_at)), 0) AS oldest FROM (
                SELECT due_at FROM step WHERE state = 'ready' AND queue = pair.queue AND priority = pair.priority
                    AND due_at <= now() ORDER BY due_at LIMIT :most) first) found
        GROUP BY pair.queue),
    seen (name, queue, value) AS (
        SELECT 'running', '', coalesce(sum(n), 0) FROM states WHERE state = 'running'
        UNION ALL SELECT 'pending', '', coalesce(sum(n), 0) FROM states WHERE state = 'pending'
        UNION ALL SELECT 'waiting', '', coalesce(sum(n), 0) FROM states
            WHERE state = 'waiting' AND reason NOT IN ('back_off', 'blocked')
        UNION ALL SELECT 'retrying', '', coalesce(sum(n), 0) FROM states WHERE state = 'waiting' AND reason = 'back_off'
        UNION ALL SELECT 'failed', '', coalesce(sum(open_runs), 0)::float8 FROM failure_group WHERE state = 'open'
        UNION ALL SELECT 'due', queue, n FROM due
        UNION ALL SELECT 'oldest', queue, oldest FROM due)
    INSERT INTO gauge AS old (name, queue, span, begins_at, samples, total, highest)
    SELECT name, queue, span, to_timestamp(floor(extract(epoch FROM now()) / span) * span), 1, value, value
    FROM seen CROSS JOIN unnest(:spans::int[]) AS span
    ON CONFLICT (span, name, queue, begins_at) DO UPDATE SET samples = old.samples + 1,
        total = old.total + excluded.total, highest = greatest(old.highest, excluded.highest)
    """
)


def sample() -> None:
    """Note how much there is now."""
    _SAMPLE.rows({"spans": [MINUTE, HOUR], "most": MOST_DUE})
