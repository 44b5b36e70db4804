"""What comes in through the doors for webhooks: the address of one run, and the signed endpoints.

A signature is checked over the bytes as they came, before anything is parsed. What an endpoint accepted is known by its
message id, so a message that comes again has no second effect.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from actions.models import NAME
from audit.recording import record
from dotdo_site.lib.ids import uuid7
from dotdo_site.lib.problems import NotTaken
from dotdo_site.lib.strict_json import BadJSON
from workflows import bodies, signatures
from workflows.models import Delivery, Endpoint
from workflows.operations.deliveries import Incoming, log, log_stranger
from workflows.operations.endpoints import secret_problem, secrets_of
from workflows.operations.errors import OperationError, UnknownDefinition
from workflows.operations.events import Delivered, deliver_event
from workflows.operations.missing import event_stays, missing, stays
from workflows.operations.start import start_workflow, title_of
from workflows.sql import Statement

HOOK_TYPE = "dev.dotdo.webhook.received.v1"
STATUSES = {BadJSON: 400, UnknownDefinition: 404, NotTaken: 415}
NOBODYS_SECRET = "whsec_" + "A" * 44
_ACCEPT = Statement(
    """
    INSERT INTO delivery (id, endpoint_id, message_id, outcome, reason, status, bytes, received_at)
    VALUES (:id, :endpoint, :message_id, 'accepted', '', 200, :bytes, :at)
    ON CONFLICT (endpoint_id, message_id) WHERE outcome = 'accepted' DO NOTHING RETURNING id
    """
)


class SignatureRefused(OperationError):
    """There is no such endpoint, or the signature does not fit."""

    def __init__(self) -> None:
        super().__init__("There is no such endpoint, or the signature does not fit.")


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a signed message became, now or when it came first."""

    replayed: bool
    run_id: uuid.UUID | None
    event_id: uuid.UUID | None


def receive_webhook(
    run_id: uuid.UUID, content: Mapping[str, Any], *, number: str, name: str = "", at: datetime
) -> Delivered:
    """Deliver what was sent to the address of a run; `number` makes it once. Raises UnknownRun, EventInvalid."""
    if not stays(run_id):
        raise missing(run_id)
    envelope = {
        "specversion": "1.0",
        "id": number,
        "source": f"/hooks/{run_id}",
        "type": HOOK_TYPE,
        "subject": str(run_id),
        "time": at.isoformat(),
        **content,
        **({"hook": name} if name else {}),
    }
    return deliver_event(envelope, actor="webhook", via="webhook", run_id=run_id)


def receive_signed(name: str, incoming: Incoming) -> Accepted:
    """Verify a message and give it its effect, once. Whatever becomes of it is in the log of the endpoint.

    Raises SignatureRefused, BadJSON, NotTaken, and the errors of what it starts or delivers.
    """
    endpoint = _endpoint(name)
    verified = _verified(endpoint, incoming)
    if endpoint is None:
        raise SignatureRefused
    if not verified or not endpoint.enabled:
        log_stranger(endpoint, incoming, _reason(endpoint, incoming, verified))
        raise SignatureRefused
    content: dict[str, Any] = {}
    try:
        content = bodies.content(
            incoming.headers.get("content-type", ""), incoming.body, unpack=endpoint.style == "github"
        )
        return _take(endpoint, _number(endpoint, incoming, content), content, incoming)
    except (OperationError, BadJSON, NotTaken) as error:
        status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 422)
        number = _number(endpoint, incoming, content)
        log(endpoint, incoming, "refused", status, reason=_in_full(error), number=number)
        raise


def _endpoint(name: str) -> Endpoint | None:
    """Return the endpoint of this name; what cannot be a name never reaches the database, which takes no NUL."""
    if not re.fullmatch(NAME, name):
        return None
    return Endpoint.objects.select_related("connection", "workflow").filter(name=name).first()


def _verified(endpoint: Endpoint | None, incoming: Incoming) -> bool:
    """Check the signature; an unknown endpoint costs as much as a known one and is never believed."""
    style = endpoint.style if endpoint else Endpoint.Style.STANDARD
    good = signatures.verify(style, _secrets(endpoint), incoming.headers, incoming.body, incoming.at.timestamp())
    return good and endpoint is not None


def _reason(endpoint: Endpoint, incoming: Incoming, verified: bool) -> str:
    if verified:
        return "The endpoint is switched off."
    wrong = secret_problem(endpoint.style, endpoint.connection)
    return wrong or signatures.complaint(endpoint.style, _secrets(endpoint), incoming.headers, incoming.at.timestamp())


def _in_full(error: Exception) -> str:
    """Return what was wrong and where."""
    return " ".join([str(error), "; ".join(map(str, getattr(error, "problems", ())))]).strip()


def _secrets(endpoint: Endpoint | None) -> list[str]:
    return secrets_of(endpoint.connection) if endpoint else [NOBODYS_SECRET]


def _number(endpoint: Endpoint, incoming: Incoming, content: Mapping[str, Any]) -> str:
    return signatures.message_id(endpoint.style, incoming.headers, content.get("data"), incoming.body)


def _take(endpoint: Endpoint, number: str, content: Mapping[str, Any], incoming: Incoming) -> Accepted:
    delivery = uuid7()
    values = {"id": delivery, "endpoint": endpoint.pk, "message_id": number, "bytes": len(incoming.body)}
    with transaction.atomic():
        if not _ACCEPT.rows(values | {"at": incoming.at}):
            return _replay(endpoint, number, incoming)
        run_id, event_id = _effect(endpoint, number, content, incoming)
        Delivery.objects.filter(pk=delivery).update(run=run_id, event=event_id)
        data = {"endpoint": endpoint.name, "connection": endpoint.connection.name, "message": number}
        record(chain=delivery, kind="webhook.accepted", actor=_actor(endpoint), data=data, run=run_id)
    return Accepted(False, run_id, event_id)


def _effect(
    endpoint: Endpoint, number: str, content: Mapping[str, Any], incoming: Incoming
) -> tuple[uuid.UUID | None, uuid.UUID | None]:
    """Start the workflow or deliver the event; return the ids of run and event."""
    if endpoint.workflow is not None and endpoint.effect == Endpoint.Effect.START:
        started = start_workflow(
            endpoint.workflow.name,
            content.get("data"),
            actor=_actor(endpoint),
            trigger="webhook",
            key=f"{endpoint.name}:{number}",
            title=title_of(endpoint.workflow),
        )
        return started.run_id, None
    topic = incoming.headers.get("x-github-event", "") if endpoint.style == "github" else ""
    envelope = {
        "specversion": "1.0",
        "id": number,
        "source": f"/hooks/e/{endpoint.name}",
        "type": endpoint.event_type,
        "time": incoming.at.isoformat(),
        **content,
        **({"topic": topic} if topic else {}),
    }
    return None, deliver_event(envelope, actor=_actor(endpoint), via="endpoint").event_id


def _replay(endpoint: Endpoint, number: str, incoming: Incoming) -> Accepted:
    first = Delivery.objects.get(endpoint=endpoint, message_id=number, outcome="accepted")
    run = first.run_id if first.run_id and stays(first.run_id) else None
    event = first.event_id if first.event_id and event_stays(first.event_id) else None
    log(endpoint, incoming, "replayed", 200, number=number, run=run, event=event)
    return Accepted(True, run, event)


def _actor(endpoint: Endpoint) -> str:
    return f"endpoint:{endpoint.name}"
