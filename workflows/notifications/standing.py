"""Which notices still stand: nobody is told of what was repaired, is over or is muted."""

from collections.abc import Iterable, Sequence

from workflows.models import Notice
from workflows.notifications.kinds import OF_FAILED_RUNS, WAITING
from workflows.sql import Statement

# The same failure: it was neither retried nor settled. `stopped_at` is when the run came to rest.
_FAILED = Statement(
    """
    SELECT n.id FROM notice n JOIN run r ON r.id = n.run
    WHERE n.id = ANY(:ids::bigint[]) AND r.state = 'failed' AND r.resolved_at IS NULL
        AND extract(epoch FROM r.stopped_at)::text = n.episode
    """
)
_WAITS = Statement(
    """
    SELECT n.id FROM notice n JOIN run r ON r.id = n.run
    WHERE n.id = ANY(:ids::bigint[]) AND CASE WHEN n.data ->> 'for' = 'suspended'
        THEN r.state = 'suspended' AND extract(epoch FROM r.stopped_at)::text = n.episode
        ELSE r.state NOT IN ('succeeded', 'cancelled', 'failed') AND EXISTS (
            SELECT 1 FROM step s WHERE s.id = n.episode::uuid AND s.state IN ('ready', 'running', 'waiting')) END
    """
)
_MUTED = Statement(
    """
    SELECT n.id FROM notice n WHERE n.id = ANY(:ids::bigint[]) AND EXISTS (
        SELECT 1 FROM notification_mute m WHERE m.until > now()
            AND (m.run = n.run OR (m.run IS NULL AND n.definition <> '' AND m.definition = n.definition)))
    """
)


def standing(notices: Iterable[Notice]) -> set[int]:
    """Return the ids of the notices that still have to be told."""
    found = list(notices)
    failed = [notice.pk for notice in found if notice.kind in OF_FAILED_RUNS]
    waits = [notice.pk for notice in found if notice.kind == WAITING]
    others = {notice.pk for notice in found if notice.ended_at is None} - {*failed, *waits}
    kept = others | _ids(_FAILED, failed) | _ids(_WAITS, waits)
    return kept - _ids(_MUTED, list(kept))


def _ids(statement: Statement, ids: Sequence[int]) -> set[int]:
    return {row[0] for row in statement.rows({"ids": list(ids)})} if ids else set()
