"""Endpoints with secrets, and messages signed as the senders sign them."""

import base64
import hmac
import json
import time
from typing import Any

from actions import secrets
from actions.models import Connection
from workflows.models import Endpoint, Workflow

KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()


def endpoint(style: str = "standard", *, workflow: str = "", parts: Any = KEY, **fields: Any) -> Endpoint:
    """Return an endpoint that starts a workflow, or delivers events of the type `com.example.hook`."""
    connection, _ = Connection.objects.get_or_create(name=f"{style}-secret", defaults={"allowed_hosts": []})
    secrets.set_secret(connection, parts, actor="user:test")
    effect: dict[str, Any] = {"effect": "event", "event_type": "com.example.hook"}
    if workflow:
        effect = {"effect": "start", "workflow": Workflow.objects.get(name=workflow)}
    return Endpoint.objects.create(
        **{"name": f"{style}-door", "style": style, "connection": connection, **effect, **fields}
    )


def signed(style: str, value: Any, number: str = "msg_1", *, secret: str = KEY, at: float | None = None) -> Any:
    """Return the body and the headers of a message."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return body, SIGN[style](body, number, secret, str(int(time.time() if at is None else at)))


def _standard(body: bytes, number: str, secret: str, sent: str) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{number}.{sent}.".encode() + body, "sha256")
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": number, "webhook-timestamp": sent, "webhook-signature": signature}


def _github(body: bytes, number: str, secret: str, _sent: str) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, "sha256").hexdigest()
    return {"x-github-delivery": number, "x-github-event": "push", "x-hub-signature-256": f"sha256={digest}"}


def _stripe(body: bytes, _number: str, secret: str, sent: str) -> dict[str, str]:
    digest = hmac.new(secret.encode(), f"{sent}.".encode() + body, "sha256").hexdigest()
    return {"stripe-signature": f"t={sent},v1={digest}"}


SIGN = {"standard": _standard, "github": _github, "stripe": _stripe}
