"""The key that signs seals and exports. Whoever changes the database alone cannot sign; who has this machine, can."""

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

KEY_BYTES = 32


def usable(text: str) -> bool:
    """Tell whether a text is base64 of 32 bytes, as private and public keys are."""
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def public_key() -> str:
    """Return the public key (base64) of this installation; empty without one."""
    key = _private()
    return base64.b64encode(key.public_key().public_bytes_raw()).decode() if key else ""


def sign(text: str) -> bytes:
    """Return the Ed25519 signature of a text, 64 bytes; empty without a key."""
    key = _private()
    return key.sign(text.encode()) if key else b""


def fits(key: str, signature: bytes, text: str) -> bool:
    """Tell whether a signature is of this text and of that public key (base64)."""
    if not usable(key):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(signature, text.encode())
    except InvalidSignature:
        return False
    return True


def _private() -> Ed25519PrivateKey | None:
    seed = settings.AUDIT_SIGNING_KEY
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed)) if seed else None
