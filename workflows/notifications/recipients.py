"""Whom a notice concerns: the rules that want it, the definitions whose run it is, and those of the runs above it."""

import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models.functions import Now

from actions.models import ActionVersion
from actions.notify import DEFAULT_ON
from workflows.models import Notice, NotificationRule, WorkflowVersion
from workflows.notifications import patterns
from workflows.notifications.kinds import OF_FAILED_RUNS, SCHEDULE_FAILED
from workflows.sql import Statement

log = logging.getLogger(__name__)
GROUP_SECONDS = 600  # of what definitions ask for; rules say it themselves
OWN = "document__document__metadata__dotdo__notify"
# The definitions of a failed run, of the actions that failed in it, and of the runs above that wait for it.
_DEFINITIONS = Statement(
    """
    WITH RECURSIVE line AS (
        SELECT id AS run, parent_step, workflow_version_id, action_version_id FROM run WHERE id = ANY(:runs::uuid[])
        UNION ALL
        SELECT l.run, p.parent_step, p.workflow_version_id, p.action_version_id
        FROM line l JOIN step s ON s.id = l.parent_step AND s.state NOT IN ('succeeded', 'cancelled', 'skipped')
            JOIN run p ON p.id = s.run_id)
    SELECT run, 'workflow', workflow_version_id FROM line WHERE workflow_version_id IS NOT NULL
    UNION SELECT run, 'action', action_version_id FROM line WHERE action_version_id IS NOT NULL
    UNION SELECT run_id, 'action', action_version_id FROM step
        WHERE run_id = ANY(:runs::uuid[]) AND state = 'failed' AND NOT caught AND action_version_id IS NOT NULL
    """
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address, and why it is told. `rule` is None when a definition names it."""

    channel: str
    address: str
    connection: str
    because: str
    rule: uuid.UUID | None
    group_seconds: int

    @property
    def key(self) -> str:
        """Return what names the recipient, whoever names him."""
        return key(self.channel, self.address)


def key(channel: str, address: str) -> str:
    """Return what names a recipient."""
    return f"{channel}:{address}"


def of(notices: Sequence[Notice]) -> dict[int, list[Recipient]]:
    """Return the recipients of each notice; an address comes once."""
    return {
        notice: list({recipient.key: recipient for recipient in reversed(every)}.values())[::-1]
        for notice, every in named(notices, active_rules()).items()
    }


def named(notices: Sequence[Notice], rules: Sequence[NotificationRule]) -> dict[int, list[Recipient]]:
    """Return whom these rules and the definitions name for each notice, an address once for each that names it."""
    sources = _sources(notices)
    return {notice.pk: [*_by_rules(notice, rules), *_readable(notice, sources[notice.pk])] for notice in notices}


def active_rules() -> list[NotificationRule]:
    """Return the rules that are neither switched off nor muted."""
    rows = NotificationRule.objects.filter(enabled=True).exclude(muted_until__gt=Now())
    return list(rows.select_related("connection"))


def of_rule(rule: NotificationRule) -> list[Recipient]:
    """Return the addresses of a rule."""
    notify = {"email": rule.email, "webhook": rule.webhook}
    connection = rule.connection.name if rule.connection else ""
    return list(_addresses(notify, connection, f"the rule {rule.name}", rule.pk, rule.group_seconds))


def wants(rule: NotificationRule, notice: Notice) -> bool:
    """Tell whether the rule is about this notice."""
    if notice.kind not in rule.kinds or (notice.source and notice.source != source_of(rule)):
        return False
    return patterns.fits(rule.definitions, notice.definition) and patterns.fits(rule.queues, notice.queue)


def source_of(rule: NotificationRule) -> str:
    """Return how notices name the rule whose threshold was passed."""
    return f"rule:{rule.pk}"


def _by_rules(notice: Notice, rules: Iterable[NotificationRule]) -> Iterator[Recipient]:
    for rule in rules:
        if wants(rule, notice):
            yield from of_rule(rule)


def _readable(notice: Notice, sources: Iterable[tuple[str, uuid.UUID]]) -> Iterator[Recipient]:
    """Yield whom each definition names; one that cannot be read names nobody, and stops no other."""
    for source in sources:
        try:
            yield from list(_by_definitions(notice, [source]))
        except (TypeError, AttributeError, ValueError):
            log.exception("whom the %s %s wants to tell cannot be read", *source)


def _by_definitions(notice: Notice, sources: Iterable[tuple[str, uuid.UUID]]) -> Iterator[Recipient]:
    for kind, version in sources:
        label, notify = _notify(kind, version)
        if notice.kind in notify.get("on", DEFAULT_ON):
            yield from _addresses(notify, notify.get("connection", ""), f"{kind} {label}", None, GROUP_SECONDS)


def _addresses(
    notify: Mapping[str, Any], connection: str, because: str, rule: uuid.UUID | None, group_seconds: int
) -> Iterator[Recipient]:
    email = notify.get("email", [])
    for address in [email] if isinstance(email, str) else email:
        yield Recipient("email", address, "", because, rule, group_seconds)
    if notify.get("webhook"):
        yield Recipient("webhook", notify["webhook"], connection, because, rule, group_seconds)


def _sources(notices: Sequence[Notice]) -> dict[int, list[tuple[str, uuid.UUID]]]:
    """Return the versions of the definitions that each notice concerns."""
    found: dict[int, list[tuple[str, uuid.UUID]]] = defaultdict(list)
    failed = {notice.run for notice in notices if notice.kind in OF_FAILED_RUNS}
    of_run: dict[uuid.UUID | None, list[tuple[str, uuid.UUID]]] = defaultdict(list)
    for run, kind, version in _DEFINITIONS.rows({"runs": list(failed)}) if failed else ():
        of_run[run].append((kind, version))
    for notice in notices:
        if notice.kind in OF_FAILED_RUNS:
            found[notice.pk] += of_run[notice.run]
        kind, _, version = notice.source.partition(":")
        if kind in ("workflow", "action"):
            found[notice.pk].append((kind, uuid.UUID(version)))
        elif notice.kind == SCHEDULE_FAILED:
            found[notice.pk] += [("workflow", pk) for pk in _scheduled(notice.definition)]
    return found


def _scheduled(workflow: str) -> list[uuid.UUID]:
    return list(WorkflowVersion.objects.filter(schedules__workflow__name=workflow).values_list("pk", flat=True))


@lru_cache(maxsize=1_000)
def _notify(kind: str, version: uuid.UUID) -> tuple[str, dict[str, Any]]:
    """Return what a published version asks for, with its label: it never changes."""
    if kind == "action":
        action = ActionVersion.objects.select_related("action").defer("config", "input_schema").get(pk=version)
        return str(action), action.notify if "on" in action.notify else {"on": ()}
    name, number, notify = WorkflowVersion.objects.values_list("workflow__name", "version", OWN).get(pk=version)
    return f"{name}:{number}", notify or {"on": ()}
