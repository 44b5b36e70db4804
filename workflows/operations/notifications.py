"""Rules, mutes and second deliveries of notifications, each recorded."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from actions.models import Action
from actions.running import refuse_inside_handler
from audit.recording import record
from workflows import rules
from workflows.models import Notification, NotificationMute, NotificationRule, Run, Workflow
from workflows.notifications import addresses, matching
from workflows.notifications.kinds import TEST
from workflows.notifications.remaining import remaining
from workflows.operations.errors import (
    NotAllowed,
    UnknownDefinition,
    UnknownMute,
    UnknownNotification,
    UnknownRun,
    refuse,
)
from workflows.operations.lookup import near
from workflows.sql import Statement

LONGEST_MUTE = timedelta(days=366)
RULE, DEFINITION, RUN = SUBJECTS = ("rule", "definition", "run")
RESENT = ("dead", "gone")
OWN_FIELDS = (
    "name", "enabled", "kinds", "definitions", "queues", "after_seconds", "email", "webhook", "connection",
    "group_seconds",
)  # fmt: skip
_NOW = Statement("SELECT clock_timestamp()")


def save_rule(rule: NotificationRule, *, actor: str) -> None:
    """Save a new or changed rule, whose fields were checked. A webhook of its that was gone is tried again from now on.

    Messages that wait keep the address that they were written for.
    """
    with transaction.atomic():
        rule.save(update_fields=None if rule._state.adding else OWN_FIELDS)  # noqa: SLF001 - Django has no other name
        if rule.webhook:
            Notification.objects.filter(channel="webhook", address=rule.webhook, state="gone").update(state="dead")
        data = {
            "name": rule.name,
            "enabled": rule.enabled,
            "kinds": rule.kinds,
            "definitions": rule.definitions,
            "queues": rule.queues,
            "after_seconds": rule.after_seconds,
            "group_seconds": rule.group_seconds,
            "email": {"count": len(rule.email), "digest": addresses.digest(*sorted(rule.email))},
            "webhook": addresses.traced(rule.webhook),
            "connection": rule.connection.name if rule.connection else "",
        }
        record(chain=rule.pk, kind="notification.rule_changed", actor=actor, data=data)


def send_test(rule: NotificationRule, *, actor: str) -> int:
    """Let a message go out to every address of a rule; return how many."""
    refuse_inside_handler("send a test message")
    with transaction.atomic():
        count = matching.announce_test(rule)
        record(chain=rule.pk, kind="notification.tested", actor=actor, data={"name": rule.name, "messages": count})
    return count


def mute(subject: str, name: str, until: datetime, *, actor: str, reason: str) -> uuid.UUID:
    """Tell nobody about a definition or a run, or by a rule, until a moment; return the id of the mute (or the rule).

    `subject` is rule, definition or run, `name` its name or id. A mute that is there is replaced.
    Raises UnknownMute, UnknownDefinition, UnknownRun, NotAllowed.
    """
    refuse_inside_handler("mute notifications")
    now: datetime = _NOW.rows()[0][0]
    if not now < until <= now + LONGEST_MUTE:
        raise NotAllowed(f"A mute ends at a time to come, within {LONGEST_MUTE.days} days.")
    data = {"subject": subject, "name": name, "until": until.isoformat()}
    with transaction.atomic():
        if subject == RULE:
            rule = _rule(name)
            NotificationRule.objects.filter(pk=rule.pk).update(muted_until=until)
            record(chain=rule.pk, kind="notification.muted", actor=actor, reason=reason, data=data)
            return rule.pk
        about = _about(subject, name)
        values = {"until": until, "by": actor, "reason": reason, "created_at": Now()}
        row, _ = NotificationMute.objects.update_or_create(**about, defaults=values)
        record(chain=row.pk, kind="notification.muted", actor=actor, reason=reason, data=data, run=row.run)
    return row.pk


def unmute(mute_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """End a mute, given by its id or by that of the rule that it mutes. Raises UnknownMute."""
    refuse_inside_handler("unmute notifications")
    with transaction.atomic():
        row = NotificationMute.objects.select_for_update().filter(pk=mute_id).first()
        if row is None:
            if not NotificationRule.objects.filter(pk=mute_id, muted_until__gt=Now()).update(muted_until=None):
                raise UnknownMute(mute_id)
            record(chain=mute_id, kind="notification.unmuted", actor=actor, reason=reason)
            return
        record(chain=row.pk, kind="notification.unmuted", actor=actor, reason=reason, run=row.run)
        row.delete()


def resend(notification_id: uuid.UUID, *, actor: str, reason: str) -> None:
    """Send a message again that did not arrive, with all its attempts anew and under the same id; or at once, one
    that waits for its next attempt.

    Raises UnknownNotification, NotAllowed.
    """
    refuse_inside_handler("send a notification again")
    with transaction.atomic():
        row = Notification.objects.select_for_update().filter(pk=notification_id).first()
        if row is None:
            raise UnknownNotification(notification_id)
        refuse(rules.resend_refusal(row.state, row.attempts, under_way=_under_way(row)))
        if row.kind != TEST and not remaining(row)[0]:
            raise NotAllowed("There is nothing left to tell: what it tells of was repaired, has ended or is muted.")
        if row.state == "gone":
            alike = Notification.objects.filter(channel=row.channel, address=row.address, state="gone")
            alike.exclude(pk=row.pk).update(state="dead")
        values: dict[str, Any] = {"state": "waiting", "due_at": Now(), "ended_at": None, "lease_expires_at": None}
        anew: dict[str, Any] = {} if row.state == "waiting" else {"attempts": 0, "error": ""}
        Notification.objects.filter(pk=row.pk).update(**values, **anew)
        data = {"was": row.state, "kind": row.kind, "channel": row.channel}
        record(chain=row.pk, kind="notification.resent", actor=actor, reason=reason, data=data)


def _under_way(row: Notification) -> bool:
    """Tell whether somebody sends it at this moment."""
    return Notification.objects.filter(pk=row.pk, lease_expires_at__gt=Now()).exists()


def _rule(name: str) -> NotificationRule:
    rows = NotificationRule.objects.select_for_update(of=("self",))
    pk = _uuid(name)
    found = rows.filter(name=name).first() or (pk and rows.filter(pk=pk).first())
    if not found:
        raise UnknownMute(name)
    return found


def _about(subject: str, name: str) -> dict[str, Any]:
    """Return what names the subject in a mute. Raises UnknownDefinition, UnknownRun."""
    if subject == RUN:
        run = _uuid(name)
        if run is None or not Run.objects.filter(pk=run).exists():
            raise UnknownRun(name)
        return {"run": run, "definition": ""}
    if not (Workflow.objects.filter(name=name).exists() or Action.objects.filter(name=name).exists()):
        raise UnknownDefinition("definition", name, [*near("workflow", name), *near("action", name)])
    return {"run": None, "definition": name}


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
