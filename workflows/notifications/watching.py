"""What has lasted too long: found by a chore, noticed once for each episode and each rule that wants to know."""

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from workflows.language import durations
from workflows.models import Notice, Notification, NotificationItem, NotificationMute, NotificationRule
from workflows.notifications import patterns, recipients
from workflows.notifications.conditions import CONDITIONS, Found, Seen
from workflows.notifications.kinds import NO_WORKER, WAITING
from workflows.notifications.places import Place
from workflows.notifications.standing import standing
from workflows.sql import Statement

log = logging.getLogger(__name__)
BATCH = 500
PAGE = 2_000
WALK_SECONDS = 5.0
KEPT_DAYS = 30
# A page of what waits, judged for all rules and versions at once. Ids grow with time, and each page has an index.
_NOTE = """
    WITH page AS MATERIALIZED ({page}),
    asked AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(:asked::jsonb)
        AS a (source text, seconds float8, names text[], queues text[], version uuid)),
    late AS MATERIALIZED (
        SELECT p.*, r.name, r.queue, r.workflow_version_id AS version FROM page p JOIN run r ON r.id = p.run
        WHERE r.state NOT IN ('succeeded', 'cancelled', 'failed')
            AND (r.state = 'suspended') = (p.waits = 'suspended')),
    wanted AS (
        SELECT l.*, a.source FROM late l JOIN asked a ON a.version = l.version
            AND l.since < now() - make_interval(secs => a.seconds)
        UNION ALL SELECT l.*, a.source FROM late l JOIN asked a ON a.version IS NULL
            AND l.since < now() - make_interval(secs => a.seconds)
            AND l.name LIKE ANY(a.names) AND l.queue LIKE ANY(a.queues)),
    made AS (
        INSERT INTO notice (kind, source, definition, queue, run, episode, data, state, created_at)
        SELECT 'waiting_too_long', w.source, w.name, w.queue, w.run, w.episode,
            jsonb_build_object('for', w.waits, 'step', w.step, 'since', w.since), 'new', clock_timestamp()
        FROM wanted w WHERE NOT EXISTS (SELECT 1 FROM notice n WHERE n.run = w.run AND n.kind = 'waiting_too_long'
            AND n.source = w.source AND n.episode = w.episode)
        ON CONFLICT DO NOTHING)
    SELECT id FROM page ORDER BY id
"""
_STEPS = """
    SELECT id, run_id AS run, '{waits}' AS waits, name AS step, created_at AS since, id::text AS episode FROM step
    WHERE {which} AND state IN ('ready', 'waiting') AND id > :place::uuid AND id < :before::uuid
    ORDER BY id LIMIT :limit
"""
_SUSPENDED = """
    SELECT id, id AS run, 'suspended' AS waits, '' AS step, stopped_at AS since,
        extract(epoch FROM stopped_at)::text AS episode FROM run
    WHERE state = 'suspended' AND id > :place::uuid ORDER BY id LIMIT :limit
"""
_WAITS = tuple(
    Statement(_NOTE.format(page=page))
    for page in (
        _STEPS.format(waits="event", which="kind = 'listen'"),
        _STEPS.format(waits="person", which="function = 'approval:1.0.0'"),
        _SUSPENDED,
    )
)
_places = {waits: Place.at(uuid.UUID(int=0)) for waits in _WAITS}  # where a round that took too long goes on
_forgotten = Place.at(0)
_WAITING_FOR = Statement(
    """
    SELECT id, document #>> '{document,metadata,dotdo,notify,after}' FROM workflow_version
    WHERE state <> 'draft' AND document #> '{document,metadata,dotdo,notify,after}' IS NOT NULL
    """
)


def watch() -> None:
    """Look at everything that any rule or definition wants to know about, and forget what is long over.

    One part that fails does not stop the others; the first error is raised when all had their turn.
    """
    rules = recipients.active_rules()
    errors: list[Exception] = []
    parts: tuple[Callable[[], None], ...] = (
        lambda: _watch_conditions(rules),
        forget,
        lambda: _watch_waits(rules),
    )
    for part in parts:
        try:
            part()
        except Exception as error:
            log.exception("a part of watching failed; the others go on")
            errors.append(error)
    if errors:
        raise errors[0]


def forget() -> None:
    """Delete old messages and notices, a batch of each; what has not ended stays, and what nobody was told of."""
    before = Now() - timedelta(days=KEPT_DAYS)
    NotificationMute.objects.filter(until__lt=before).delete()
    _forget_messages(Notification.objects.filter(ended_at__lt=before))
    page = Notice.objects.filter(created_at__lt=before, items__isnull=True, state="told", pk__gt=_forgotten.now)
    found = list(page.exclude(run=None, ended_at=None, source__gt="").order_by("pk")[:BATCH])
    _forgotten.passed([notice.pk for notice in found], BATCH)
    lasting = standing(notice for notice in found if notice.kind == WAITING)
    Notice.objects.filter(pk__in=[notice.pk for notice in found if notice.pk not in lasting]).delete()


def _forget_messages(old: QuerySet[Notification]) -> None:
    """Delete what ended; the last one that found its address gone stays as the sign of that, and tells of nothing."""
    after = Notification.objects.filter(channel=OuterRef("channel"), address=OuterRef("address"), pk__gt=OuterRef("pk"))
    gone = old.filter(state="gone")
    over = old.filter(state__in=("sent", "dropped", "dead")) | gone.filter(Exists(after.filter(state="gone")))
    Notification.objects.filter(pk__in=list(over.values_list("pk", flat=True)[:BATCH])).delete()
    NotificationItem.objects.filter(notification__in=gone.values("pk")).delete()


def _watch_waits(rules: Iterable[NotificationRule]) -> None:
    """Walk once through what waits, a page at a time; what a round has no time for is left to the next."""
    asked = [*_asked_by_rules(rules), *_asked_by_versions()]
    if not asked:
        return
    soonest = datetime.now(UTC) - timedelta(seconds=min(one["seconds"] for one in asked))
    values = {"asked": json.dumps(asked), "before": _id_of(soonest), "limit": PAGE}
    end = time.monotonic() + WALK_SECONDS
    for waits in _WAITS:
        _walk(waits, values, end)


def _walk(waits: Statement, values: Mapping[str, Any], end: float) -> None:
    """Walk on from where the last round stopped, at least a page; from the start again when all was seen."""
    place, more = _places[waits], True
    while more:
        seen = waits.rows({**values, "place": place.now})
        more = place.passed([row[0] for row in seen], values["limit"]) and time.monotonic() <= end


def _asked_by_rules(rules: Iterable[NotificationRule]) -> Iterator[dict[str, Any]]:
    for rule in rules:
        if WAITING in rule.kinds:
            names, queues = patterns.like(rule.definitions), patterns.like(rule.queues)
            yield {
                "source": recipients.source_of(rule),
                "seconds": rule.after_seconds,
                "names": names,
                "queues": queues,
            }


def _asked_by_versions() -> Iterator[dict[str, Any]]:
    for version, after in _WAITING_FOR.rows():
        seconds = durations.parse(_duration(after)).total_seconds()
        yield {"source": f"workflow:{version}", "seconds": seconds, "version": str(version)}


def _watch_conditions(rules: Sequence[NotificationRule]) -> None:
    """Begin and end the episodes of what belongs to no single run."""
    wanted = {kind for rule in rules for kind in rule.kinds}
    seen = Seen.now(wanted)
    kept: list[int] = []
    for rule in rules:
        for kind in CONDITIONS:
            if kind in rule.kinds:
                kept += _episodes(kind, recipients.source_of(rule), seen.of(kind, rule))
    for version, found in seen.asked_by_actions().items():
        kept += _episodes(NO_WORKER, f"action:{version}", found)
    Notice.objects.filter(kind__in=CONDITIONS, ended_at=None).exclude(pk__in=kept).update(ended_at=Now())


def _episodes(kind: str, source: str, found: Found) -> list[int]:
    """Note what is new; return the open notices of what is there."""
    kept = []
    for (definition, queue), data in found.items():
        notice, _ = Notice.objects.get_or_create(
            kind=kind,
            source=source,
            definition=definition,
            queue=queue,
            run=None,
            ended_at=None,
            defaults={"data": data, "created_at": Now()},
        )
        kept.append(notice.pk)
    return kept


def _duration(text: str) -> Any:
    """Return a duration as the document has it: PostgreSQL gives objects as text."""
    return json.loads(text) if text.startswith("{") else text


def _id_of(moment: datetime) -> uuid.UUID:
    """Return the smallest id that a row of this moment can have."""
    return uuid.UUID(int=max(0, int(moment.timestamp() * 1_000)) << 80)
