"""The log of the endpoints: every request, and what became of it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dotdo_site.access.rates import Rate
from workflows.models import Delivery, Endpoint

STRANGERS = Rate(60)
LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request at an endpoint; `headers` has lower-case names."""

    headers: Mapping[str, str]
    body: bytes
    at: datetime


def log_stranger(endpoint: Endpoint, incoming: Incoming, reason: str) -> None:
    """Log what was not believed, but not for as long as anybody likes to knock."""
    if STRANGERS.take(f"refused:{endpoint.pk.hex}") is None:
        log(endpoint, incoming, "refused", 401, reason=reason)


def log(
    endpoint: Endpoint,
    incoming: Incoming,
    outcome: str,
    status: int,
    *,
    reason: str = "",
    number: str = "",
    run: uuid.UUID | None = None,
    event: uuid.UUID | None = None,
) -> None:
    """Log what was replayed or refused; what is accepted is logged before it has its effect."""
    Delivery.objects.create(
        endpoint=endpoint,
        message_id=number,
        outcome=outcome,
        reason=reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "…",
        status=status,
        bytes=len(incoming.body),
        run_id=run,
        event_id=event,
        received_at=incoming.at,
    )
