"""Set up the signed endpoints for webhooks."""

from django.conf import settings
from django.db import transaction

from audit.recording import record
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
