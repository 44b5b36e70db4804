"""Texts that only this installation can read, or make: AES-256-GCM and HMAC under the keys of SECRETS_KEYS.

Stored as `name$nonce$ciphertext`, where `name` is that of the key (the first one encrypts).
"""

import base64
import binascii
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

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


def signatures(text: str) -> list[str]:
    """Return what only this installation can say about a text, one for each key, that of the current key first."""
    return [_signature(key, text) for key in _keys().values()]


def key_of(stored: str) -> str:
    """Return the name of the key that an encrypted text needs."""
    return stored.partition("$")[0]


def key_names() -> list[str]:
    """Return the names of the keys that are there, the current one first. Raises ImproperlyConfigured."""
    return list(_keys())


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


def _signature(key: bytes, text: str) -> str:
    derived = hmac.digest(key, b"dotdo: marks of secrets", hashlib.sha256)
    return hmac.new(derived, text.encode(), hashlib.sha256).hexdigest()[:32]
