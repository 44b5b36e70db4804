"""Secrets of connections: encrypted, bound to their row, given out only for the hosts they are meant for."""

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from actions import running, sealing
from actions.errors import ActionError
from actions.models import Connection
from audit import recording

PART = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
# A user name is no secret: covering every "admin" in a result would spoil it.
PLAIN_PARTS = frozenset({"username"})


def set_secret(connection: Connection, plaintext: str | Mapping[str, str], *, actor: str, reason: str = "") -> None:
    """Store a secret: a token, or named parts such as `{"username": ..., "password": ...}`. Raises ValueError."""
    parts = as_parts(plaintext)
    check_parts(parts)
    connection.ciphertext = sealing.encrypt(json.dumps(parts), bound_to(connection))
    connection.rotated_at = Now()
    with transaction.atomic():
        connection.save()
        connection.refresh_from_db(fields=["rotated_at"])
        recording.record(
            chain=connection.id,
            kind="connection.changed",
            actor=actor,
            reason=reason,
            data={"name": connection.name, "allowed_hosts": connection.allowed_hosts, "parts": sorted(parts)},
        )


def as_parts(secret: str | Mapping[str, str]) -> dict[str, str]:
    """Return the parts of a secret: a text alone is a token."""
    return {"token": secret} if isinstance(secret, str) else dict(secret)


def check_parts(parts: Mapping[str, Any]) -> None:
    """Raise ValueError when these cannot be the parts of a secret."""
    if not parts or not all(isinstance(part, str) and part for part in parts.values()):
        raise ValueError("a secret is a text, or an object of texts such as {'username': ..., 'password': ...}")
    if odd := sorted(name for name in parts if not PART.fullmatch(name)):
        raise ValueError(f"{odd[0]!r} is not a name of a part: use letters, digits, _ and -, such as 'password'")


def use(name: str, host: str | None = None) -> dict[str, str]:
    """Return the parts of a connection's secret, for the handler that runs now if there is one, and record the use.

    `host` is where it will be sent; None hands it to code of this installation, unless the connection lists no host at
    all. Raises ActionError: `no_connection`, `no_secret`, `secret_refused`, `secret_unreadable`.
    """
    connection = Connection.objects.filter(name=name).first()
    if connection is None:
        raise ActionError("no_connection", f"there is no connection {name!r}: create it", retryable=False)
    if host is None and not connection.allowed_hosts:
        message = f"the secret of {name!r} goes nowhere: its connection lists no host"
        raise ActionError("secret_refused", message, retryable=False)
    try:
        parts = _reveal(connection) if host is None else reveal_for(connection, host)
    except sealing.CannotDecrypt as error:
        message = f"the secret of {name!r} cannot be read: {error}"
        raise ActionError("secret_unreadable", message, retryable=False) from None
    _record_use(connection, host or "")
    return parts


def reveal_for(connection: Connection, host: str) -> dict[str, str]:
    """Return the parts of the secret for a request to `host` (or `host:port`), and keep them out of the logs.

    Raises ActionError `secret_refused` for a host that the connection does not list, CannotDecrypt.
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if not {host.lower(), name.lower()} & {str(entry).lower() for entry in connection.allowed_hosts}:
        hosts = ", ".join(map(str, connection.allowed_hosts))
        listed = f"its connection lists only {hosts}" if hosts else "its connection lists no host"
        raise ActionError(
            "secret_refused", f"the secret of {connection.name!r} is not for {host}: {listed}", retryable=False
        )
    return _reveal(connection)


def parts_of(connection: Connection) -> dict[str, str]:
    """Return the parts of the secret; it must not leave the caller. Raises ActionError `no_secret`, CannotDecrypt."""
    if not connection.ciphertext:
        raise ActionError("no_secret", f"connection {connection.name!r} has no secret yet: set it", retryable=False)
    parts: dict[str, str] = json.loads(sealing.decrypt(connection.ciphertext, bound_to(connection)))
    return parts


def record_use(name: str, host: str, run: str, step: str) -> None:
    """Record that a step was given a secret, in a chain of its own for each step: they never wait for each other."""
    recording.record(
        chain=uuid.uuid5(uuid.UUID(run), f"connection:{name}:{step}"),
        kind="connection.used",
        actor="system",
        data={"name": name, "host": host, "run": run, "step": step},
        run=uuid.UUID(run),
    )


def bound_to(connection: Connection) -> str:
    """Return what ties an encrypted secret to its row: elsewhere it cannot be read."""
    return f"connection:{connection.pk}:secret"


def _reveal(connection: Connection) -> dict[str, str]:
    parts = parts_of(connection)
    if (current := running.current()) is not None:
        current.reveal(text for name, text in parts.items() if name not in PLAIN_PARTS)
    return parts


def _record_use(connection: Connection, host: str) -> None:
    current = running.current()
    if current is None:
        data = {"name": connection.name, "host": host}
        recording.record(chain=connection.id, kind="connection.used", actor="system", data=data)
    elif (connection.name, host) not in current.used:
        record_use(connection.name, host, current.run, current.step)
        current.used.add((connection.name, host))
