"""How long the runs of each definition are kept, and which definitions have runs that may go."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from workflows.sql import Statement


def is_over(run: str) -> str:
    """Return when a run, by its alias, is over: it asks nobody for anything any more. By columns of `run_over`."""
    return f"""(
        {run}.finished_at IS NOT NULL OR {run}.resolved_at IS NOT NULL
        OR ({run}.reason = 'undone' AND {run}.state = 'failed'))
    AND ({run}.state IN ('succeeded', 'cancelled')
        OR ({run}.state = 'failed' AND ({run}.resolved_at IS NOT NULL OR {run}.reason = 'undone')))"""


def end_of(run: str) -> str:
    """Return when it ended."""
    return f"coalesce({run}.finished_at, {run}.resolved_at, {run}.stopped_at)"


OVER, ENDED = is_over("r"), end_of("r")
# A day is the least: who waits for a run, or repeats a request with its key, finds it.
_DEFINITIONS = """
    SELECT kind, id, name, CASE WHEN keep_days IS NULL THEN :default::int ELSE greatest(keep_days, 1) END AS days
    FROM (SELECT 'workflow' AS kind, id, name, keep_days FROM workflow
        UNION ALL SELECT 'action', id, name, keep_days FROM action) definition"""
_DUE = Statement(
    f"""
    SELECT d.kind, d.id, d.name, d.days, oldest.at FROM ({_DEFINITIONS}) d CROSS JOIN LATERAL (
        SELECT {ENDED} AS at FROM run r
        WHERE d.days IS NOT NULL AND r.kind = d.kind AND r.name = d.name AND r.parent_step IS NULL AND {OVER}
            AND {ENDED} < now() - make_interval(days => d.days)
        ORDER BY {ENDED}, r.id LIMIT 1) oldest
    ORDER BY oldest.at
    """  # noqa: S608 - constants
)
_POLICY = Statement(
    f"SELECT coalesce(md5(string_agg(d.id::text || ':' || d.days, ',' ORDER BY d.id)), '') FROM ({_DEFINITIONS}) d"  # noqa: S608
)
_COUNT = Statement(
    f"""
    SELECT count(*) FROM run r
    WHERE r.kind = :kind AND r.name = :name AND r.parent_step IS NULL AND {OVER}
        AND {ENDED} < now() - make_interval(days => :days)
    """  # noqa: S608 - constants
)


@dataclass(frozen=True, slots=True)
class Due:
    """A definition with runs that have been over for longer than it keeps them; `id` is the definition's."""

    kind: str
    id: uuid.UUID
    name: str
    days: int
    oldest: datetime

    def __str__(self) -> str:
        return f"the {self.kind} {self.name}"


def due() -> list[Due]:
    """Return the definitions with something to delete, the one with the oldest run first."""
    return [Due(*row) for row in _DUE.rows({"default": settings.RETENTION_DAYS})]


def policy() -> str:
    """Return a digest of how long each definition keeps its runs."""
    found: str = _POLICY.rows({"default": settings.RETENTION_DAYS})[0][0]
    return found


def count(wanted: Due) -> int:
    """Return how many runs of a definition have been over for long enough, those that they started apart."""
    found: int = _COUNT.rows({"kind": wanted.kind, "name": wanted.name, "days": wanted.days})[0][0]
    return found
