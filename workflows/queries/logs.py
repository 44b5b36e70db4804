"""What the handlers of a run wrote, from all attempts, in the order in which those ended."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from dotdo_site.lib.paging import decode, encode
from workflows.models import Run
from workflows.queries.opening import Opener
from workflows.queries.places import title
from workflows.queries.rows import Page
from workflows.sql import Statement

LEVELS = ("debug", "info", "warning", "error")
ABOVE = {"debug": "", "info": "debug", "warning": "debug info", "error": "debug info warning"}
FIRST, LAST = (0, 0), (2**62, 2**31)
# Step by step (`OFFSET 0` keeps it so): joined, the steps of all runs may be read in the order of their ids.
_LINES = """
    FROM step s CROSS JOIN LATERAL (SELECT id, number, log FROM attempt WHERE step_id = s.id OFFSET 0) AS a
    LEFT JOIN payload p ON p.run_id = s.run_id AND p.digest = a.log->>'$payload'
    CROSS JOIN LATERAL jsonb_array_elements(
        CASE WHEN jsonb_typeof(a.log) = 'array' THEN a.log WHEN jsonb_typeof(p.value) = 'array' THEN p.value
        ELSE '[]' END) WITH ORDINALITY AS l(line, place)
    WHERE s.run_id = :run
"""
_PAGE = (
    "SELECT a.id, l.place, l.line::text, s.id, s.kind, s.name, s.function, a.number"
    + _LINES
    + """
    AND (:step::uuid IS NULL OR s.id = :step::uuid)
    AND NOT lower(coalesce(l.line->>'level', '')) = ANY(string_to_array(:below, ' '))
    AND (a.id, l.place) > (:attempt::bigint, :place::bigint) AND (a.id, l.place) < (:until::bigint, :end::bigint)
    """
)
_OLDEST = Statement(_PAGE + "ORDER BY a.id, l.place LIMIT :size")
_NEWEST = Statement(_PAGE + "ORDER BY a.id DESC, l.place DESC LIMIT :size")
_COUNT = Statement(f"SELECT count(*) FROM (SELECT 1 {_LINES} LIMIT :size) AS found")  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line; `at` counts seconds since its attempt began."""

    attempt: int
    place: int
    step: uuid.UUID
    title: str
    number: int
    level: str
    message: str
    at: float | None


def logs(
    run_id: uuid.UUID,
    *,
    level: str = "",
    step: uuid.UUID | None = None,
    after: str | None = None,
    before: str | None = None,
    limit: int = 200,
) -> Page[LogLine]:
    """Return one page of the lines of at least a level, the oldest first. Raises BadCursor."""
    start, end = _cursor(after) if after else FIRST, _cursor(before) if before else LAST
    below = ABOVE.get(level, "")
    given = {"run": run_id, "step": step, "below": below, "size": limit + 1}
    given |= {"attempt": start[0], "place": start[1], "until": end[0], "end": end[1]}
    found = _lines(run_id, (_NEWEST if before else _OLDEST).rows(given))
    more, found = len(found) > limit, found[:limit]
    if before:
        found.reverse()
    older, newer = (more, bool(found)) if before else (bool(after) and bool(found), more)
    return Page(found, _mark(found[-1]) if newer else None, _mark(found[0]) if older else None)


def count_logs(run_id: uuid.UUID, limit: int = 1_000) -> int:
    """Return how many lines there are, at most `limit`."""
    return int(_COUNT.rows({"run": run_id, "size": limit})[0][0])


def _lines(run_id: uuid.UUID, rows: list[tuple[Any, ...]]) -> list[LogLine]:
    opened = Opener(Run(id=run_id), []).open([json.loads(row[2]) for row in rows])
    return [_line(row, line) for row, line in zip(rows, opened, strict=True)]


def _line(row: tuple[Any, ...], line: dict[str, Any]) -> LogLine:
    attempt, place, _, step, kind, name, function, number = row
    level, message = str(line.get("level", "")).lower(), str(line.get("message", ""))
    return LogLine(attempt, place, step, title(kind, name, function), number, level, message, line.get("at"))


def _cursor(text: str) -> tuple[int, int]:
    attempt, place = decode(text, int, int)
    return min(max(attempt, 0), LAST[0]), min(max(place, 0), LAST[1])


def _mark(line: LogLine) -> str:
    return encode(line.attempt, line.place)
