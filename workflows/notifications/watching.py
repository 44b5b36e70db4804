"""What has lasted too long: found by a chore, noticed once for each episode and each rule that wants to know."""

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models.functions import Now

from workflows.language import durations
from workflows.models import Notice, Notification, NotificationMute, NotificationRule
from workflows.notifications import patterns, recipients
from workflows.notifications.conditions import CONDITIONS, Found, Seen
from workflows.notifications.kinds import NO_WORKER, WAITING
from workflows.notifications.standing import standing
from workflows.sql import Statement

BATCH = 500
KEPT_DAYS = 30
EVERY = ["%"]
# Steps that wait for a person or an event, the oldest first: ids grow with time, and both kinds have a partial index.
_WAITS = Statement(
    """
    INSERT INTO notice (kind, source, definition, queue, run, episode, data, state, created_at)
    SELECT 'waiting_too_long', :source::text, r.name, r.queue, r.id, s.id::text, jsonb_build_object(
        'for', CASE s.kind WHEN 'listen' THEN 'event' ELSE 'person' END, 'step', s.name, 'since', s.created_at),
        'new', clock_timestamp()
    FROM ((SELECT id, run_id, kind, name, created_at FROM step
            WHERE kind = 'listen' AND state IN ('ready', 'waiting') AND id < :before::uuid)
        UNION ALL (SELECT id, run_id, kind, name, created_at FROM step
            WHERE function = 'approval:1.0.0' AND state IN ('ready', 'waiting') AND id < :before::uuid)) s
    JOIN run r ON r.id = s.run_id
    WHERE r.state NOT IN ('succeeded', 'cancelled', 'failed', 'suspended')
        AND s.created_at < now() - make_interval(secs => :after::float8)
        AND r.name LIKE ANY(:names::text[]) AND r.queue LIKE ANY(:queues::text[])
        AND (:version::uuid IS NULL OR r.workflow_version_id = :version::uuid)
        AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.run = r.id AND n.kind = 'waiting_too_long'
            AND n.source = :source::text AND n.episode = s.id::text)
    LIMIT :limit ON CONFLICT DO NOTHING
    """
)
_SUSPENDED = Statement(
    """
    INSERT INTO notice (kind, source, definition, queue, run, episode, data, state, created_at)
    SELECT 'waiting_too_long', :source::text, r.name, r.queue, r.id, extract(epoch FROM r.stopped_at)::text,
        jsonb_build_object('for', 'suspended', 'since', r.stopped_at), 'new', clock_timestamp()
    FROM run r
    WHERE r.state = 'suspended' AND r.stopped_at < now() - make_interval(secs => :after::float8)
        AND r.name LIKE ANY(:names::text[]) AND r.queue LIKE ANY(:queues::text[])
        AND (:version::uuid IS NULL OR r.workflow_version_id = :version::uuid)
        AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.run = r.id AND n.kind = 'waiting_too_long'
            AND n.source = :source::text AND n.episode = extract(epoch FROM r.stopped_at)::text)
    LIMIT :limit ON CONFLICT DO NOTHING
    """
)
_WAITING_FOR = Statement(
    """
    SELECT id, document #>> '{document,metadata,dotdo,notify,after}' FROM workflow_version
    WHERE state <> 'draft' AND document #> '{document,metadata,dotdo,notify,after}' IS NOT NULL
    """
)


def watch() -> None:
    """Look at everything that any rule or definition wants to know about, and forget what is long over."""
    rules = recipients.active_rules()
    _watch_waits(rules)
    _watch_conditions(rules)
    forget()


def forget() -> None:
    """Delete old messages and notices, a batch of each; what has not ended stays."""
    before = Now() - timedelta(days=KEPT_DAYS)
    ended = Notification.objects.filter(state__in=("sent", "dropped", "dead"), ended_at__lt=before)
    Notification.objects.filter(pk__in=list(ended.values_list("pk", flat=True)[:BATCH])).delete()
    old = Notice.objects.filter(created_at__lt=before, items__isnull=True).order_by("pk")
    found = list(old.exclude(run=None, ended_at=None, source__gt="")[:BATCH])
    NotificationMute.objects.filter(until__lt=before).delete()
    lasting = standing(notice for notice in found if notice.kind == WAITING)
    Notice.objects.filter(pk__in=[notice.pk for notice in found if notice.pk not in lasting]).delete()


def _watch_waits(rules: Iterable[NotificationRule]) -> None:
    for rule in rules:
        if WAITING in rule.kinds:
            names, queues = patterns.like(rule.definitions), patterns.like(rule.queues)
            _note_waits(recipients.source_of(rule), rule.after_seconds, names, queues, None)
    for version, after in _WAITING_FOR.rows():
        seconds = durations.parse(_duration(after)).total_seconds()
        _note_waits(f"workflow:{version}", seconds, EVERY, EVERY, version)


def _note_waits(
    source: str, after: float, names: Sequence[str], queues: Sequence[str], version: uuid.UUID | None
) -> None:
    values = {"source": source, "after": after, "names": names, "queues": queues, "version": version, "limit": BATCH}
    _WAITS.rows({**values, "before": _id_of(datetime.now(UTC) - timedelta(seconds=after))})
    _SUSPENDED.rows(values)


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
