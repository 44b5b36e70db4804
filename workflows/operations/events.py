"""Take an event: once per source and id, to the run it is addressed to, or to everybody who listens for it.

Delivery only selects candidates and wakes them; whether a filter fits is decided by the worker of each. The run is
locked before its steps, several runs and several steps in the order of their ids.
"""

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from actions.problems import Problem
from actions.running import refuse_inside_handler
from audit.models import AuditEvent
from audit.recording import record
from dotdo_site.lib import canonical
from dotdo_site.lib.ids import uuid7
from workflows import candidates, cloudevents, reacting, states, wake
from workflows.models import Event
from workflows.operations.errors import EventInvalid, UnknownEvent
from workflows.operations.missing import stays, was_there
from workflows.sql import Statement

RUN_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
ONLY_KNOWN = frozenset(["specversion", "id", "source", "type", "subject"])  # what is kept of an event that is forgotten
REPLAYED = "replayof"  # the attribute of an event that was delivered again: which one it was
_INSERT = Statement(
    """
    INSERT INTO event (id, source, event_id, type, subject, envelope, run_id, via, received_at)
    VALUES (:id, :source, :event_id, :type, :subject, :envelope::jsonb, :run::uuid, :via, clock_timestamp())
    ON CONFLICT (source, event_id) DO NOTHING RETURNING id
    """
)
_KNOWN = Statement(
    """
    SELECT e.id, array_remove(array_agg(DISTINCT m.run_id), NULL)
    FROM event e LEFT JOIN message m ON m.event_id = e.id AND m.data IS NULL
    WHERE e.source = :source AND e.event_id = :event_id GROUP BY e.id
    """
)
_LOCK = Statement("SELECT id FROM run WHERE id = ANY(:runs::uuid[]) ORDER BY id FOR NO KEY UPDATE")
# A checkpoint that starts a listen compares `mail_seq`, so no message falls between the two.
_MAIL = Statement(
    "UPDATE run SET mail_seq = mail_seq + 1 WHERE id = :run AND state <> ALL(:final::text[]) RETURNING id"
)
_KEEP = Statement(
    """
    INSERT INTO message (run_id, kind, event_id, created_at) VALUES (:run, 'event', :event, clock_timestamp())
    """
)
_LISTENING = Statement(
    """
    SELECT id FROM step WHERE run_id = :run AND kind = 'listen' AND state IN ('waiting', 'ready', 'running', 'held')
    """
)
_HAND_OUT = Statement(
    """
    WITH listening AS MATERIALIZED (
        SELECT id, run_id FROM step WHERE id = ANY(:steps::uuid[])
            AND state IN ('waiting', 'ready', 'running', 'held')
        ORDER BY id FOR NO KEY UPDATE)
    INSERT INTO message (run_id, step_id, kind, event_id, created_at)
    SELECT run_id, id, 'event', :event, clock_timestamp() FROM listening RETURNING run_id, step_id
    """
)
# The first step of a run that events started has had them: nobody looks at these messages any more. Those that came
# before the last one are marked, because they were answered without the run. What was forgotten meanwhile is left out.
_NOTE_START = Statement(
    """
    WITH cause AS MATERIALIZED (SELECT id FROM event WHERE id = ANY(:events::uuid[]) ORDER BY id FOR KEY SHARE)
    INSERT INTO message (run_id, step_id, kind, event_id, data, created_at, consumed_at)
    SELECT s.run_id, s.id, 'event', n.event, CASE WHEN n.event <> :event THEN '{"earlier": true}'::jsonb END,
        clock_timestamp(), clock_timestamp()
    FROM unnest(:runs::uuid[], :events::uuid[]) WITH ORDINALITY AS n (run, event, place)
    JOIN cause ON cause.id = n.event JOIN step s ON s.run_id = n.run ORDER BY n.place
    """
)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The event that answers the request, whether this request made it, and the runs that it was handed to."""

    event_id: uuid.UUID
    created: bool
    runs: list[uuid.UUID] = field(default_factory=list)


def deliver_event(
    envelope: Mapping[str, Any],
    *,
    actor: str,
    via: str,
    run_id: uuid.UUID | None = None,
    sender: uuid.UUID | None = None,
    reason: str = "",
) -> Delivered:
    """Record a CloudEvent and hand it out; a source and id that came before answers as it did then.

    It is addressed to `run_id`, or to the run whose id is its subject, or to everybody. `sender` is the run that emits
    it, in whose transaction this happens. Raises EventInvalid, and ActionError inside a handler.
    """
    refuse_inside_handler("deliver an event")
    problems = cloudevents.problems(envelope)
    if problems:
        raise EventInvalid(problems)
    with transaction.atomic():
        return _deliver(cloudevents.tidy(envelope), actor, via, run_id or _subject(envelope), sender, reason)


def replay_event(event_id: uuid.UUID, *, number: str, actor: str, reason: str) -> Delivered:
    """Deliver an event once more, as another one with the id `number`: to its run, or to everybody who listens now.

    Raises UnknownEvent, EventInvalid.
    """
    row = Event.objects.filter(pk=event_id).first()
    if row is None:
        raise UnknownEvent(event_id)
    if _forgotten(row):
        raise EventInvalid(
            [Problem("", "forgotten", "what it said is not kept any more: it cannot be delivered again")]
        )
    envelope = {**row.envelope, "id": number, REPLAYED: str(event_id)}
    return deliver_event(envelope, actor=actor, via="person", run_id=row.run_id, reason=reason)


def deliver_events(events: Sequence[Any], *, actor: str, via: str, batch: bool = False) -> list[Delivered]:
    """Deliver one after another, if all of them are CloudEvents; `batch` says where in the list a problem is.

    Each is a transaction of its own: a batch that is sent again goes on where it was cut off. Raises EventInvalid.
    """
    found = [
        problem.under(f"/{place}" if batch else "")
        for place, event in enumerate(events)
        for problem in cloudevents.problems(event)
    ]
    if found:
        raise EventInvalid(found)
    return [deliver_event(event, actor=actor, via=via) for event in events]


def _deliver(
    event: dict[str, Any], actor: str, via: str, run: uuid.UUID | None, sender: uuid.UUID | None, reason: str
) -> Delivered:
    if sender:
        # The checkpoint that follows may write the sender's run, whose steps this may wake, and two runs may send to
        # each other: locked now and in order, nobody waits in a circle.
        _LOCK.rows({"runs": [sender, *([run] if run else [])]})
    run, gone = _addressee(run)
    if gone:  # nobody gets it, and nothing that it says comes back: it is only known when it comes again
        event = {name: part for name, part in event.items() if name in ONLY_KNOWN}
    number, key = uuid7(), {"source": event["source"], "event_id": event["id"]}
    values = {"id": number, "type": event["type"], "subject": event.get("subject", ""), "run": run, "via": via}
    if not _INSERT.rows(key | values | {"envelope": canonical.dumps(event)}):
        known, runs = _KNOWN.rows(key)[0]
        return Delivered(known, created=False, runs=runs)
    runs = list[uuid.UUID]()
    if run:
        runs = _address(number, run)
    elif not gone:
        runs = _broadcast(number, event, sender)
    data = {name: event[name] for name in ("source", "id", "type")}
    data |= {"subject": canonical.digest(event["subject"])} if "subject" in event else {}
    facts = {"via": via, "digest": canonical.digest(event), "runs": len(runs)} | ({"run": str(run)} if run else {})
    record(chain=number, kind="event.received", actor=actor, reason=reason, data=data | facts, run=run)
    return Delivered(number, created=True, runs=runs)


def _forgotten(row: Event) -> bool:
    """Tell whether only that an event came is kept: its run was gone, or those that it reached were erased since."""
    if row.run_id is not None or not row.envelope.keys() <= ONLY_KNOWN:
        return False
    run = _subject(row.envelope)
    if run and not stays(run) and was_there(run):
        return True
    received = AuditEvent.objects.filter(chain=row.pk, kind="event.received").values_list("data", flat=True).first()
    return received is not None and json.loads(received)["digest"] != canonical.digest(row.envelope)


def _subject(envelope: Mapping[str, Any]) -> uuid.UUID | None:
    """Return the subject, if it can be the id of a run."""
    subject = envelope.get("subject") or ""
    return uuid.UUID(subject) if RUN_ID.fullmatch(subject) else None


def _addressee(run: uuid.UUID | None) -> tuple[uuid.UUID | None, bool]:
    """Return the run if it is there, which nobody deletes now, and whether there once was one that is gone."""
    if run is None or stays(run):
        return run, False
    return None, was_there(run)


def _address(event: uuid.UUID, run: uuid.UUID) -> list[uuid.UUID]:
    """Put the event into the mailbox of the run, unless that is over, and wake what listens there."""
    if not _MAIL.rows({"run": run, "final": list(states.RUN_FINAL)}):
        return []
    _KEEP.rows({"run": run, "event": event})
    wake.steps(row[0] for row in _LISTENING.rows({"run": run}))
    return [run]


def _broadcast(number: uuid.UUID, event: Mapping[str, Any], sender: uuid.UUID | None) -> list[uuid.UUID]:
    """Hand the event to each listening step and schedule for which it may be meant."""
    listening, schedules = candidates.of(event)
    handed = _HAND_OUT.rows({"steps": listening, "event": number})
    wake.steps(step for _, step in handed)
    started = reacting.on_event(schedules, number, event, sender=sender)
    causes = [(run, event_id) for run, events in started.items() for event_id in events]
    _NOTE_START.rows({"event": number, "runs": [run for run, _ in causes], "events": [each for _, each in causes]})
    return sorted({run for run, _ in handed} | set(started))
