"""Secrets of connections: AES-256-GCM, bound to their row, given out only for the hosts they are meant for.

Stored as `name$nonce$ciphertext`, where `name` is that of the key in SECRETS_KEYS (the first one encrypts).
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import uuid
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models.functions import Now

from actions import running
from actions.errors import ActionError
from actions.models import Connection
from audit import recording

NONCE_BYTES = 12
KEY_BYTES = 32
PART = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
# A user name is no secret: covering every "admin" in a result would spoil it.
PLAIN_PARTS = frozenset({"username"})


class CannotDecrypt(Exception):
    """The stored secret cannot be read: its key is missing, or it was changed or moved from another row."""


def encrypt(plaintext: str, associated: str) -> str:
    """Return the text encrypted with the current key and bound to `associated`."""
    name, key = next(iter(_keys().items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, plaintext.encode(), associated.encode())
    return "$".join([name, base64.b64encode(nonce).decode(), base64.b64encode(sealed).decode()])


def decrypt(stored: str, associated: str) -> str:
    """Return the plain text. Raises CannotDecrypt."""
    try:
        name, nonce, sealed = stored.split("$")
        key = _keys()[name]
        opened = AESGCM(key).decrypt(_decode(nonce), _decode(sealed), associated.encode())
    except KeyError:
        raise CannotDecrypt(f"its key {name!r} is not in SECRETS_KEYS") from None
    except (InvalidTag, ValueError):
        raise CannotDecrypt("it was changed, belongs to another row, or its key has another value") from None
    return opened.decode()


def set_secret(connection: Connection, plaintext: str | Mapping[str, str], *, actor: str, reason: str = "") -> None:
    """Store a secret: a token, or named parts such as `{"username": ..., "password": ...}`. Raises ValueError."""
    parts = as_parts(plaintext)
    check_parts(parts)
    connection.ciphertext = encrypt(json.dumps(parts), _associated(connection))
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

    `host` is where it will be sent; None hands it to code of this installation. Raises ActionError: `no_connection`,
    `no_secret`, `secret_refused`, `secret_unreadable`.
    """
    connection = Connection.objects.filter(name=name).first()
    if connection is None:
        raise ActionError("no_connection", f"there is no connection {name!r}: create it", retryable=False)
    try:
        parts = _reveal(connection) if host is None else reveal_for(connection, host)
    except CannotDecrypt as error:
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
        raise ActionError(
            "secret_refused",
            f"the secret of {connection.name!r} is not for {host}; it goes to {connection.allowed_hosts} only",
            retryable=False,
        )
    return _reveal(connection)


def parts_of(connection: Connection) -> dict[str, str]:
    """Return the parts of the secret; it must not leave the caller. Raises ActionError `no_secret`, CannotDecrypt."""
    if not connection.ciphertext:
        raise ActionError("no_secret", f"connection {connection.name!r} has no secret yet: set it", retryable=False)
    parts: dict[str, str] = json.loads(decrypt(connection.ciphertext, _associated(connection)))
    return parts


def signatures(text: str) -> list[str]:
    """Return what only this installation can say about a text, one for each key, that of the current key first."""
    return [_signature(key, text) for key in _keys().values()]


def missing_keys() -> list[str]:
    """Return the names of keys that stored secrets need and SECRETS_KEYS does not have."""
    stored = Connection.objects.exclude(ciphertext="").values_list("ciphertext", flat=True)
    return sorted({text.partition("$")[0] for text in stored} - _keys().keys())


def record_use(name: str, host: str, run: str, step: str) -> None:
    """Record that a step was given a secret, in a chain of its own for each step: they never wait for each other."""
    recording.record(
        chain=uuid.uuid5(uuid.UUID(run), f"connection:{name}:{step}"),
        kind="connection.used",
        actor="system",
        data={"name": name, "host": host, "run": run, "step": step},
        run=uuid.UUID(run),
    )


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


def _signature(key: bytes, text: str) -> str:
    derived = hmac.digest(key, b"dotdo: marks of secrets", hashlib.sha256)
    return hmac.new(derived, text.encode(), hashlib.sha256).hexdigest()[:32]


def rotate(*, actor: str) -> tuple[int, list[str]]:
    """Encrypt all secrets with the current key; return how many changed and what could not be read.

    All or nothing: when one cannot be read, nothing is changed.
    """
    current = next(iter(_keys()))
    changed, failures = [], []
    with transaction.atomic():
        for connection in Connection.objects.exclude(ciphertext="").select_for_update():
            try:
                plaintext = decrypt(connection.ciphertext, _associated(connection))
            except CannotDecrypt as error:
                failures.append(f"{connection.name}: {error}")
                continue
            if connection.ciphertext.split("$")[0] != current:
                connection.ciphertext = encrypt(plaintext, _associated(connection))
                changed.append(connection)
        if failures:
            return 0, failures
        for connection in changed:
            connection.save(update_fields=["ciphertext"])
            recording.record(chain=connection.id, kind="secrets.rotated", actor=actor, data={"key": current})
    return len(changed), []


def drop_unreadable(*, actor: str) -> list[str]:
    """Empty the secrets that cannot be read with any key; return the names of their connections."""
    dropped = []
    with transaction.atomic():
        for connection in Connection.objects.exclude(ciphertext="").select_for_update().order_by("name"):
            try:
                parts_of(connection)
            except CannotDecrypt:
                connection.ciphertext = ""
                connection.save(update_fields=["ciphertext"])
                data = {"name": connection.name, "allowed_hosts": connection.allowed_hosts, "parts": []}
                recording.record(chain=connection.id, kind="connection.changed", actor=actor, data=data)
                dropped.append(connection.name)
    return dropped


def check_keys(entries: list[str]) -> list[str]:
    """Return what is wrong with the setting SECRETS_KEYS, without showing any key."""
    names = [entry.partition(":")[0] for entry in entries]
    found = [f"entry {place + 1} is not name:base64 of {KEY_BYTES} bytes" for place in _unreadable(entries)]
    if len(set(names)) < len(names):
        found.append("two keys have the same name")
    return found if entries else ["there is no key"]


def _unreadable(entries: list[str]) -> list[int]:
    return [place for place, entry in enumerate(entries) if _key(entry) is None]


def _key(entry: str) -> bytes | None:
    name, _, text = entry.partition(":")
    try:
        key = _decode(text)
    except ValueError:
        return None
    return key if name and "$" not in name and len(key) == KEY_BYTES else None


def _keys() -> dict[str, bytes]:
    if found := check_keys(settings.SECRETS_KEYS):
        raise ImproperlyConfigured("SECRETS_KEYS: " + "; ".join(found))
    return {entry.partition(":")[0]: _key(entry) or b"" for entry in settings.SECRETS_KEYS}


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _associated(connection: Connection) -> str:
    return f"connection:{connection.pk}:secret"
