"""Set up the signed endpoints for webhooks."""

from django.conf import settings
from django.db import transaction

from actions import sealing, secrets
from actions.errors import ActionError
from actions.models import Connection
from audit.recording import record
from workflows import signatures
from workflows.models import Endpoint


def save_endpoint(endpoint: Endpoint, *, actor: str) -> None:
    """Save a new or changed endpoint, whose fields were checked, and record what it is now."""
    with transaction.atomic():
        endpoint.save()
        data = {
            "name": endpoint.name,
            "style": endpoint.style,
            "connection": endpoint.connection.name,
            "effect": endpoint.effect,
            "workflow": endpoint.workflow.name if endpoint.workflow else "",
            "event_type": endpoint.event_type,
            "enabled": endpoint.enabled,
        }
        record(chain=endpoint.pk, kind="endpoint.changed", actor=actor, data=data)


def endpoint_url(name: str) -> str:
    """Return the absolute address of an endpoint."""
    return f"{settings.PUBLIC_URL}/hooks/e/{name}"


def secrets_of(connection: Connection) -> list[str]:
    """Return the parts of a connection's secret, none if they cannot be read; they must not leave the caller."""
    try:
        return list(secrets.parts_of(connection).values())
    except (ActionError, sealing.CannotDecrypt):
        return []


def secret_problem(style: str, connection: Connection) -> str:
    """Return why nothing that comes in can be believed, empty if the connection has a secret for this style."""
    found = secrets_of(connection)
    if not found:
        return "The connection has no secret that can be read."
    if not signatures.usable(style, found):
        return "The connection has no secret for Standard Webhooks: whsec_ and then base64."
    return ""
