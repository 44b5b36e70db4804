"""What people decide about a group of failures: its cause is removed, or it may be left alone for a while."""

from datetime import datetime, timedelta

from django.db import transaction

from actions.running import refuse_inside_handler
from workflows.grouping import moving
from workflows.models import FailureGroup
from workflows.operations.errors import UnknownFailure, refuse
from workflows.sql import Statement

LONGEST_IGNORED = timedelta(days=366)
MOST_IGNORED = 1_000_000_000
_NOW = Statement("SELECT clock_timestamp()")


@transaction.atomic
def resolve_failure(fingerprint: str, *, actor: str, reason: str) -> None:
    """Say that the cause of a group is removed; it opens by itself when it happens again.

    Its runs stay as they are. Raises UnknownFailure, NotAllowed.
    """
    refuse_inside_handler("resolve a failure")
    group = _lock(fingerprint)
    refuse("This failure is resolved already." if group.state == "resolved" else None)
    moving.move(group, "resolved", at=_now(), actor=actor, reason=reason)


@transaction.atomic
def ignore_failure(
    fingerprint: str, *, until: datetime | None = None, times: int | None = None, actor: str, reason: str
) -> None:
    """Leave a group alone until a moment, or until it has happened so many times more.

    Raises UnknownFailure, NotAllowed.
    """
    refuse_inside_handler("ignore a failure")
    now = _now()
    refuse(_wrong(until, times, now))
    group = _lock(fingerprint)
    refuse("This failure is ignored already: open it first." if group.state == "ignored" else None)
    count = group.count + times if times else None
    moving.move(group, "ignored", at=now, actor=actor, reason=reason, until=until, count=count)


@transaction.atomic
def reopen_failure(fingerprint: str, *, actor: str, reason: str) -> None:
    """Say that somebody should look at a group again. Raises UnknownFailure, NotAllowed."""
    refuse_inside_handler("reopen a failure")
    group = _lock(fingerprint)
    refuse("This failure is open." if group.state == "open" else None)
    moving.move(group, "open", at=_now(), actor=actor, reason=reason)


def _wrong(until: datetime | None, times: int | None, now: datetime) -> str | None:
    if (until is None) == (times is None):
        return "Ignore a failure either until a moment or until it has happened so many times more."
    if until is not None and not now < until <= now + LONGEST_IGNORED:
        return f"A failure is ignored until a time to come, within {LONGEST_IGNORED.days} days."
    if times is not None and not 0 < times <= MOST_IGNORED:
        return "Say how many times more it may happen: at least once."
    return None


def _lock(fingerprint: str) -> FailureGroup:
    group = FailureGroup.objects.select_for_update(no_key=True).filter(fingerprint=fingerprint).first()
    if group is None:
        raise UnknownFailure(fingerprint)
    return group


def _now() -> datetime:
    found: datetime = _NOW.rows()[0][0]
    return found
