"""Approvals: what waits for a person, and for whom; and what was answered."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from audit.models import PERSON, AuditEvent
from dotdo_site.lib.paging import decode, encode
from workflows import approvals
from workflows.approvals import Person
from workflows.language.durations import DurationError
from workflows.models import Message
from workflows.queries import keyset
from workflows.queries.keyset import Looked
from workflows.queries.rows import Page
from workflows.sql import Statement

COUNT_LIMIT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRow:
    """What is asked of a person: `form` is the JSON Schema of the answer, `due_at` until when one counts."""

    step: uuid.UUID
    key: str
    name: str
    state: str
    title: str
    description: str
    users: list[str]
    groups: list[str]
    form: dict[str, Any]
    since: datetime
    due_at: datetime | None
    run: uuid.UUID
    run_name: str
    run_title: str
    run_key: str
    run_state: str
    asked: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredRow:
    """An answer to an approval: the name of the step, what was decided by whom and why, and where."""

    id: int
    at: datetime
    name: str
    decision: str
    by: str
    actor: str
    reason: str
    run: uuid.UUID
    step: uuid.UUID


def answered_approvals(
    by: str = "", *, after: str | None = None, before: str | None = None, limit: int = 50
) -> Looked[AnsweredRow]:
    """Return one page of the answers that are kept in the trail, of a person or of all, newest first.

    Raises BadCursor.
    """
    rows = AuditEvent.objects.filter(kind="approval.answered", run__isnull=False)
    among = Q(actor=f"{PERSON}{by}") if by else None
    found = keyset.newest_first(rows, int, after=after, before=before, limit=limit, among=among)
    return found.page([_answer_row(event) for event in found.rows])


def open_approvals(
    person: Person, *, after: str | None = None, before: str | None = None, limit: int = 50
) -> Page[ApprovalRow]:
    """Return one page of the approvals that this person may answer, those that wait longest first. Raises BadCursor."""
    if before:
        found = _rows(person, before=decode(before, uuid.UUID)[0], limit=limit + 1)
        more, found = len(found) > limit, found[:limit][::-1]
        return Page(found, _cursor(found, -1), _cursor(found, 0) if more else None)
    found = _rows(person, after=decode(after, uuid.UUID)[0] if after else None, limit=limit + 1)
    more, found = len(found) > limit, found[:limit]
    return Page(found, _cursor(found, -1) if more else None, _cursor(found, 0) if after else None)


def count_approvals(person: Person) -> int:
    """Return how many approvals this person may answer, counting at most 100."""
    return int(_COUNT.rows(_values(person) | {"limit": COUNT_LIMIT})[0][0])


def approval(run_id: uuid.UUID, step_id: uuid.UUID) -> ApprovalRow | None:
    """Return what a step asks, whatever became of it; None for a step that asks nobody."""
    rows = _ONE.rows({"run": run_id, "step": step_id})
    return _row(rows[0]) if rows else None


def answered_by(step_id: uuid.UUID) -> str:
    """Return who answered an approval, empty when nobody has."""
    answer = Message.objects.filter(step=step_id, kind="answer").order_by("-id").first()
    return str((answer.data or {}).get("by", "")) if answer else ""


def _answer_row(event: AuditEvent) -> AnsweredRow:
    data = json.loads(event.data)
    assert event.run is not None  # noqa: S101 - asked for above
    return AnsweredRow(
        id=event.pk,
        at=event.at,
        name=str(data.get("name", "")),
        decision=str(data.get("decision", "")),
        by=str(data.get("by", "")),
        actor=event.actor,
        reason=event.reason,
        run=event.run,
        step=event.chain,
    )


_FIELDS = """s.id, s.key, s.name, s.state, s.created_at, r.id, r.name, r.title, r.key, r.state, a.asked"""
_FROM = """
    FROM step s JOIN run r ON r.id = s.run_id
    LEFT JOIN payload p ON p.run_id = s.run_id AND p.digest = s.input->>'$payload'
    CROSS JOIN LATERAL (SELECT coalesce(p.value, s.input) AS asked) a
    CROSS JOIN LATERAL (
        SELECT coalesce(a.asked->'assignees'->'users', '[]') AS users,
            coalesce(a.asked->'assignees'->'groups', '[]') AS groups) named
"""
_OPEN = """
    WHERE s.function = 'approval:1.0.0' AND s.state IN ('ready', 'running', 'waiting', 'held') AND s.kind = 'call'
        AND r.state NOT IN ('succeeded', 'cancelled')
        AND NOT EXISTS (
            SELECT 1 FROM message m WHERE m.step_id = s.id AND m.kind = 'answer' AND m.consumed_at IS NULL)
        AND (:everything::bool OR (named.users = '[]' AND named.groups = '[]')
            OR named.users ? :name::text OR named.groups ?| :groups::text[])
"""
_FORWARDS = Statement(
    f"SELECT {_FIELDS} {_FROM} {_OPEN} AND (:after::uuid IS NULL OR s.id > :after::uuid) ORDER BY s.id LIMIT :limit"
)
_BACKWARDS = Statement(f"SELECT {_FIELDS} {_FROM} {_OPEN} AND s.id < :before::uuid ORDER BY s.id DESC LIMIT :limit")
_COUNT = Statement(f"SELECT count(*) FROM (SELECT 1 {_FROM} {_OPEN} LIMIT :limit) found")  # noqa: S608
_ONE = Statement(
    f"SELECT {_FIELDS} {_FROM} WHERE s.run_id = :run AND s.id = :step AND s.function = 'approval:1.0.0' "
    "AND s.kind = 'call'"
)


def _rows(
    person: Person, *, limit: int, after: uuid.UUID | None = None, before: uuid.UUID | None = None
) -> list[ApprovalRow]:
    values = _values(person) | {"limit": limit}
    found = _BACKWARDS.rows(values | {"before": before}) if before else _FORWARDS.rows(values | {"after": after})
    return [_row(row) for row in found]


def _values(person: Person) -> dict[str, Any]:
    return {"everything": person.superuser, "name": person.name, "groups": sorted(person.groups)}


def _row(row: tuple[Any, ...]) -> ApprovalRow:
    step, key, name, state, since, run, run_name, run_title, run_key, run_state, text = row
    asked = json.loads(text) or {}
    users, groups = approvals.assignees(asked)
    return ApprovalRow(
        step=step,
        key=key,
        name=name,
        state=state,
        title=str(asked.get("title", "")),
        description=str(asked.get("description", "")),
        users=users,
        groups=groups,
        form=_form(asked),
        since=since,
        due_at=_due_at(asked, since),
        run=run,
        run_name=run_name,
        run_title=run_title,
        run_key=run_key,
        run_state=run_state,
        asked=asked,
    )


def _form(asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return approvals.form(asked)
    except approvals.FormInvalid:
        return approvals.NOTHING  # as below


def _due_at(asked: dict[str, Any], since: datetime) -> datetime | None:
    try:
        return approvals.due_at(asked, since)
    except DurationError:
        return None  # its step fails as soon as a worker looks at it


def _cursor(found: list[ApprovalRow], index: int) -> str | None:
    return encode(found[index].step) if found else None
