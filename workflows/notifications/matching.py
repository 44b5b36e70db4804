"""From notices to messages: what one recipient is told of one kind and definition within an interval is one message.

The first notice is told at once. What follows within the interval is collected, and told when the interval is over.
What cannot be told, because of what somebody wrote, is set aside: it costs nothing that stands beside it.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now

from dotdo_site.lib.database_errors import is_outage
from dotdo_site.lib.ids import uuid7
from workflows.models import Notice, Notification, NotificationItem, NotificationRule
from workflows.notifications import recipients
from workflows.notifications.kinds import TEST
from workflows.notifications.places import Place
from workflows.notifications.recipients import Recipient
from workflows.notifications.standing import standing
from workflows.sql import Statement

log = logging.getLogger(__name__)
BATCH = 500
LONGEST_CONNECTION = 63
CHILD_SECONDS = 60.0
Key = tuple[str, str, str]
_LOCK = Statement("SELECT pg_advisory_xact_lock(6130771403), clock_timestamp()")  # one at a time, on all hosts
# Only the run that a person must repair is told of. The run above may still catch the failure of the one below it, and
# has a minute to look; a run that is parked on nothing but failed runs below it is told of once none is left of those.
_RIPE = """
    SELECT n.id, NOT (n.kind IN ('dead_letter', 'undo_failed') AND (
        EXISTS (
            SELECT 1 FROM run r JOIN step s ON s.id = r.parent_step
            WHERE r.id = n.run AND s.state IN ('ready', 'running', 'waiting')
                AND n.created_at > now() - make_interval(secs => :child::float8))
        OR (EXISTS (SELECT 1 FROM run r WHERE r.id = n.run AND r.state = 'failed' AND r.resolved_at IS NULL
                AND extract(epoch FROM r.stopped_at)::text = n.episode)
            AND (SELECT count(*) > 0 AND bool_and(EXISTS (
                    SELECT 1 FROM run c WHERE c.parent_step = s.id AND c.state = 'failed' AND c.resolved_at IS NULL))
                FROM step s WHERE s.run_id = n.run AND s.state = 'failed' AND NOT s.caught))))
    FROM (SELECT * FROM notice WHERE state = 'new' {page} LIMIT :limit) n ORDER BY n.id
"""
_NEWEST = Statement(_RIPE.format(page="ORDER BY id DESC"))
_NEXT = Statement(_RIPE.format(page="AND id > :place::bigint ORDER BY id"))
_place = Place.at(0)  # of the walk through what is not among the newest


def match() -> int:
    """Make messages of the notices that nobody has looked at; return how many notices that were.

    A round looks at the newest and at one page of the rest: many may wait for weeks for what is below them.
    """
    ids = _ripe()
    if not ids:
        return 0
    with transaction.atomic():
        now: datetime = _LOCK.rows()[0][1]
        notices = list(Notice.objects.filter(pk__in=ids, state="new").order_by("pk"))
        if notices:
            _tell(notices, now)
    return len(notices)


def _ripe() -> list[int]:
    """Return the notices that can be told now, without any lock."""
    newest = _NEWEST.rows({"child": CHILD_SECONDS, "limit": BATCH})
    rest = _next() if len(newest) == BATCH else []
    return sorted({notice for notice, ripe in [*rest, *newest] if ripe})


def _next() -> list[tuple[int, bool]]:
    page = _NEXT.rows({"child": CHILD_SECONDS, "limit": BATCH, "place": _place.now})
    _place.passed([notice for notice, _ in page], BATCH)
    return [(notice, ripe) for notice, ripe in page]


def announce_test(rule: NotificationRule) -> int:
    """Make a message to each address of a rule that says that messages arrive; return how many."""
    made = [_message(recipient, TEST, "") for recipient in recipients.of_rule(rule)]
    for message in made:
        message.due_at = message.created_at = Now()
    return len(Notification.objects.bulk_create(made))


def _tell(notices: Sequence[Notice], now: datetime) -> None:
    """Put each notice into the messages of its recipients. What concerns nobody goes, unless its episode is open."""
    kept = standing(notices)
    wanted = recipients.of([notice for notice in notices if notice.pk in kept])
    gone = set(Notification.objects.filter(state="gone").values_list("channel", "address"))
    groups: dict[Key, list[Notice]] = defaultdict(list)
    named: dict[Key, Recipient] = {}  # whoever named the address first
    for notice in notices:
        for recipient in wanted.get(notice.pk, ()):
            if (recipient.channel, recipient.address) not in gone:
                key = recipient.key, notice.kind, notice.definition
                named.setdefault(key, recipient)
                groups[key].append(notice)
    for key, members in groups.items():
        _attach_or_set_aside(named[key], *key[1:], members, now)
    told = {notice.pk for members in groups.values() for notice in members}
    open_ended = {notice.pk for notice in notices if notice.source}
    Notice.objects.filter(pk__in=told | open_ended).update(state="told")
    Notice.objects.filter(pk__in={notice.pk for notice in notices} - told - open_ended).delete()


def _attach_or_set_aside(
    recipient: Recipient, kind: str, definition: str, notices: Sequence[Notice], now: datetime
) -> None:
    try:
        with transaction.atomic():
            _attach(recipient, kind, definition, notices, now)
    except Exception as error:
        if is_outage(error):
            raise
        log.exception("no message of %s of %s can be made because of %s", kind, definition, recipient.because)


def _attach(recipient: Recipient, kind: str, definition: str, notices: Sequence[Notice], now: datetime) -> None:
    alike = Notification.objects.filter(
        channel=recipient.channel, address=recipient.address, kind=kind, definition=definition
    ).order_by("-id")
    message = alike.filter(state="waiting", attempts=0).select_for_update(no_key=True, skip_locked=True).first()
    if message is None:
        last = alike.exclude(state="dropped").first()
        message = _message(recipient, kind, definition)
        message.created_at = now
        message.due_at = max(now, _since(last) + timedelta(seconds=recipient.group_seconds)) if last else now
        message.save(force_insert=True)
    items = [NotificationItem(notification=message, notice=notice, recipient=recipient.key) for notice in notices]
    NotificationItem.objects.bulk_create(items, ignore_conflicts=True)


def _since(last: Notification) -> datetime:
    return last.ended_at or last.created_at


def _message(recipient: Recipient, kind: str, definition: str) -> Notification:
    return Notification(
        id=uuid7(),
        rule_id=recipient.rule,
        channel=recipient.channel,
        address=recipient.address,
        connection=recipient.connection if len(recipient.connection) <= LONGEST_CONNECTION else "",
        kind=kind,
        definition=definition,
        because=recipient.because[:200],
    )
