"""Count what ended, from the audit trail: once each, in the order of its ids.

What is counted and up to which event is written in one transaction, so a crash costs nothing and counts nothing twice;
who was away for long goes on where it stopped. Runs that retention deletes were counted when they ended. Runs that
other runs started count like all others. The trail appears in another order than its ids; only ids that every writer
has left behind are read (`audit.sealing.settled_up_to`).
"""

import time

from django.db import transaction

from audit.sealing import settled_up_to
from dotdo_site.lib import signs
from workflows import draining
from workflows.rollups.slots import slot_sql
from workflows.sql import Statement

PAGE = 10_000  # ids of one transaction
ROUND_SECONDS = 5.0
KINDS = ("run.succeeded", "run.failed", "run.cancelled", "step.succeeded", "step.failed")
# For how many days rows of each span are kept: five minutes serve the window of a day, hours that of a month; days are
# few, so three years can be seen. What is older is not written at all.
KEPT_DAYS = {300: 3, 3_600: 65, 86_400: 1_100}
_BEGIN = Statement("INSERT INTO rollup_place (id, event) VALUES (1, 0) ON CONFLICT DO NOTHING")
_PLACE = Statement("SELECT event FROM rollup_place WHERE id = 1 FOR UPDATE")
_MOVE = Statement("UPDATE rollup_place SET event = :upto, counted_at = clock_timestamp() WHERE id = 1")
# A run that ends as failed because it was undone was counted when it failed; its end is the end of a cancelled one.
_COUNT = Statement(
    f"""
    WITH said AS MATERIALIZED (
        SELECT e.run, e.kind, e.at, e.data::jsonb AS data FROM audit_event e
        WHERE e.id > :after AND e.id <= :upto AND e.kind = ANY(:kinds::text[])),
    runs AS MATERIALIZED (
        SELECT r.kind, r.name, s.at, 1000 * extract(epoch FROM coalesce(r.finished_at, s.at) - r.created_at)::float8 ms,
            CASE WHEN s.kind = 'run.succeeded' THEN 'succeeded'
                WHEN s.kind = 'run.cancelled' OR s.data->>'reason' = 'undone' THEN 'cancelled' ELSE 'failed' END outcome
        FROM said s CROSS JOIN LATERAL (
            SELECT kind, name, created_at, finished_at FROM run WHERE id = s.run LIMIT 1) r
        WHERE s.kind LIKE 'run.%'),
    calls AS MATERIALIZED (
        SELECT split_part(t.function, ':', 1) AS name, s.at, substr(s.kind, 6) AS outcome,
            CASE WHEN t.started_at <= coalesce(t.finished_at, s.at)
                THEN 1000 * extract(epoch FROM coalesce(t.finished_at, s.at) - t.started_at)::float8 END AS ms
        FROM said s CROSS JOIN LATERAL (
            SELECT function, action_version_id, started_at, finished_at FROM step
            WHERE run_id = s.run AND key = s.data->>'step' LIMIT 1) t
        WHERE s.kind LIKE 'step.%' AND t.action_version_id IS NOT NULL AND t.function <> ''),
    ended (subject, name, outcome, at, ms) AS (
        SELECT 'runs', '', outcome, at, ms FROM runs
        UNION ALL SELECT 'workflow', name, outcome, at, ms FROM runs WHERE kind = 'workflow'
        UNION ALL SELECT 'action', name, outcome, at, ms FROM calls),
    slots AS MATERIALIZED (
        SELECT subject, name, outcome, k.span,
            to_timestamp(floor(extract(epoch FROM at) / k.span) * k.span) AS begins_at,
            CASE WHEN ms IS NOT NULL THEN {slot_sql("ms")} END AS slot, count(*) AS n
        FROM ended JOIN unnest(:spans::int[], :days::int[]) AS k (span, days)
            ON ended.at > now() - make_interval(days => k.days)
        GROUP BY 1, 2, 3, 4, 5, 6),
    totals AS MATERIALIZED (
        SELECT subject, name, outcome, span, begins_at, sum(n) AS n, max(slot) AS longest FROM slots
        GROUP BY 1, 2, 3, 4, 5)
    INSERT INTO rollup AS old (subject, name, outcome, span, begins_at, count, durations)
    SELECT t.subject, t.name, t.outcome, t.span, t.begins_at, t.n,
        coalesce(array_agg(coalesce(s.n, 0) ORDER BY i) FILTER (WHERE i IS NOT NULL), '{{}}')
    FROM totals t LEFT JOIN LATERAL generate_series(0, t.longest) AS i ON true
    LEFT JOIN slots s ON s.subject = t.subject AND s.name = t.name AND s.outcome = t.outcome AND s.span = t.span
        AND s.begins_at = t.begins_at AND s.slot = i
    GROUP BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (subject, span, name, begins_at, outcome) DO UPDATE SET count = old.count + excluded.count, durations =
        coalesce((SELECT array_agg(coalesce(a, 0) + coalesce(b, 0) ORDER BY i)
            FROM unnest(old.durations, excluded.durations) WITH ORDINALITY AS u (a, b, i)), '{{}}')
    """  # noqa: S608 - constants
)


def count(seconds: float = ROUND_SECONDS) -> int:
    """Count what ended since the last time, a page at a time; what there is no time for is left to the next round.

    Return how many ids of the trail were passed.
    """
    _BEGIN.rows()
    horizon = settled_up_to()
    if horizon is None:
        return 0
    passed, until = 0, time.monotonic() + seconds
    while True:
        signs.give()
        page = _page(horizon)
        passed += page
        if page < PAGE or time.monotonic() >= until or draining.requested():
            return passed


@transaction.atomic
def _page(horizon: int) -> int:
    """Count the next page of ids; return how many it had."""
    after: int = _PLACE.rows()[0][0]
    upto = max(after, min(after + PAGE, horizon))
    if upto > after:
        values = {"after": after, "upto": upto, "kinds": list(KINDS)}
        _COUNT.rows(values | {"spans": list(KEPT_DAYS), "days": list(KEPT_DAYS.values())})
    _MOVE.rows({"upto": upto})
    return upto - after
