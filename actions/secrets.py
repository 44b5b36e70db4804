"""Secrets of connections: AES-256-GCM, bound to their row, given out only for the hosts they are meant for.

Stored as `name$nonce$ciphertext`, where `name` is that of the key in SECRETS_KEYS (the first one encrypts).
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping

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
    parts = {"token": plaintext} if isinstance(plaintext, str) else dict(plaintext)
    if not parts or not all(isinstance(part, str) and part for part in parts.values()):
        raise ValueError("a secret is a text, or an object of texts such as {'username': ..., 'password': ...}")
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
    if not connection.ciphertext:
        raise ActionError("no_secret", f"connection {connection.name!r} has no secret yet: set it", retryable=False)
    parts: dict[str, str] = json.loads(decrypt(connection.ciphertext, _associated(connection)))
    if (current := running.current()) is not None:
        current.secrets.update(parts.values())
    return parts


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
