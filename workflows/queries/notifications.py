"""Messages that told somebody, or did not, and what is muted."""

import uuid
from datetime import datetime
from typing import Any

from django.db.models import Count
from django.db.models.functions import Now

from dotdo_site.lib.paging import decode, encode
from workflows.models import Notification, NotificationMute, NotificationRule, Run
from workflows.notifications.addresses import shown
from workflows.queries.rows import MuteRow, NotificationRow, Page

COUNT_LIMIT = 100


def notifications(
    state: str = "", *, after: str | None = None, before: str | None = None, limit: int = 50
) -> Page[NotificationRow]:
    """Return one page of messages, newest first. Raises BadCursor."""
    rows = Notification.objects.annotate(count=Count("items"))
    if state:
        rows = rows.filter(state=state)
    if before:
        found = list(rows.filter(pk__gt=decode(before, uuid.UUID)[0]).order_by("pk")[: limit + 1])
        more, found = len(found) > limit, found[:limit][::-1]
        return Page(list(map(_row, found)), _cursor(found, -1), _cursor(found, 0) if more else None)
    if after:
        rows = rows.filter(pk__lt=decode(after, uuid.UUID)[0])
    found = list(rows.order_by("-pk")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return Page(list(map(_row, found)), _cursor(found, -1) if more else None, _cursor(found, 0) if after else None)


def notification(notification_id: uuid.UUID) -> NotificationRow | None:
    """Return one message, or None."""
    found = Notification.objects.annotate(count=Count("items")).filter(pk=notification_id).first()
    return None if found is None else _row(found)


def undelivered() -> int:
    """Return how many messages did not arrive, counting at most 100."""
    return Notification.objects.filter(state__in=("dead", "gone"))[:COUNT_LIMIT].count()


def mutes() -> list[MuteRow]:
    """Return what is muted now, that which ends first at the top."""
    rules = NotificationRule.objects.filter(muted_until__gt=Now())
    found = [_rule_row(rule.pk, rule.name, rule.muted_until) for rule in rules if rule.muted_until]
    made = list(NotificationMute.objects.filter(until__gt=Now()))
    runs = Run.objects.only("title", "key", "name").in_bulk([row.run for row in made if row.run])
    found += [_mute_row(row, runs.get(row.run)) for row in made]
    return sorted(found, key=lambda row: row.until)


def _mute_row(row: NotificationMute, run: Run | None) -> MuteRow:
    return MuteRow(
        id=row.pk,
        subject="run" if row.run else "definition",
        name=str(row.run or row.definition),
        until=row.until,
        by=row.by,
        reason=row.reason,
        title=run.title or run.key or "" if run else "",
        definition=run.name if run else "",
    )


def _rule_row(pk: uuid.UUID, name: str, until: datetime) -> MuteRow:
    return MuteRow(id=pk, subject="rule", name=name, until=until, by="", reason="")


def _row(found: Any) -> NotificationRow:
    return NotificationRow(
        id=found.pk,
        kind=found.kind,
        definition=found.definition,
        channel=found.channel,
        address=shown(found.channel, found.address),
        because=found.because,
        state=found.state,
        count=found.count,
        attempts=found.attempts,
        error=found.error,
        due_at=found.due_at,
        created_at=found.created_at,
        ended_at=found.ended_at,
    )


def _cursor(found: list[Any], index: int) -> str | None:
    return encode(found[index].pk) if found else None
