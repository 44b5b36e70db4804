"""Signatures of webhooks, checked over the bytes as they came in. Total: whatever is sent, the answer is yes or no.

Standard Webhooks (standardwebhooks.com, version 1): HMAC-SHA256 over `id.timestamp.body`, several signatures allowed.
GitHub: HMAC-SHA256 over the body, without a time. Stripe: HMAC-SHA256 over `timestamp.body`, several allowed.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

TOLERANCE_SECONDS = 300
_SECONDS = re.compile(r"[0-9]{1,12}")
_PREFIX = "whsec_"
_VISIBLE = re.compile(r"[\x21-\x7e]{1,180}")
NUMBERS = {"standard": "webhook-id", "github": "x-github-delivery"}

Headers = Mapping[str, str]
Signed = tuple[bytes, list[str]]


def verify(style: str, secrets: Iterable[str], headers: Headers, body: bytes, now: float) -> bool:
    """Tell whether the request was signed with one of the secrets, at a time near `now` (seconds since 1970).

    `headers` has lower-case names. All secrets and signatures are compared, so that the time tells nothing.
    """
    read, keys, text = STYLES[style]
    signed, given = read({name: str(value) for name, value in headers.items()}, body, now) or (b"", [])
    expected = [text(hmac.digest(key, signed, "sha256")) for secret in secrets for key in keys(secret)]
    compared = [_same(one, other) for one in expected for other in given]
    return any(compared)


def message_id(style: str, headers: Headers, value: Any, body: bytes) -> str:
    """Return what names a verified message, so that it is taken once: 1 to 180 visible characters.

    `value` is the body, parsed. GitHub does not sign its number of the delivery; what has none is named by its body.
    """
    found = value.get("id") if style == "stripe" and isinstance(value, Mapping) else headers.get(NUMBERS.get(style, ""))
    if isinstance(found, str) and _VISIBLE.fullmatch(found):
        return found
    return "sha256:" + hashlib.sha256(_bytes(found) if found and isinstance(found, str) else body).hexdigest()


def complaint(style: str, headers: Headers, now: float) -> str:
    """Return why a request was not believed, for the log of those who own the endpoint."""
    if STYLES[style][0](headers, b"", now) is None:
        return "The headers of the signature are missing, cannot be read, or their time is not within 5 minutes."
    return "No secret of the connection gives this signature."


def _standard(headers: Headers, body: bytes, now: float) -> Signed | None:
    number, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not number or not _fresh(sent, now):
        return None
    given = [part.partition(",") for part in headers.get("webhook-signature", "").split()]
    return _bytes(f"{number}.{sent}.") + body, [text for version, _, text in given if version == "v1"]


def _github(headers: Headers, body: bytes, _now: float) -> Signed | None:
    method, _, digest = headers.get("x-hub-signature-256", "").partition("=")
    return (body, [digest]) if method == "sha256" else None


def _stripe(headers: Headers, body: bytes, now: float) -> Signed | None:
    parts = [part.strip().partition("=") for part in headers.get("stripe-signature", "").split(",")]
    sent = next((value for name, _, value in parts if name == "t"), "")
    if not _fresh(sent, now):
        return None
    return _bytes(f"{sent}.") + body, [value for name, _, value in parts if name == "v1"]


def _fresh(sent: str, now: float) -> bool:
    return bool(_SECONDS.fullmatch(sent)) and abs(now - int(sent)) <= TOLERANCE_SECONDS


def _plain(secret: str) -> list[bytes]:
    return [_bytes(secret)]


def _standard_keys(secret: str) -> list[bytes]:
    """Return the bytes that the secret may stand for: base64, and without the prefix perhaps the text itself."""
    prefixed = secret.startswith(_PREFIX)
    try:
        decoded = [base64.b64decode(secret.removeprefix(_PREFIX), validate=True)]
    except (binascii.Error, ValueError):
        decoded = []
    return [key for key in (decoded if prefixed else [*decoded, _bytes(secret)]) if key]


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


STYLES: Mapping[
    str,
    tuple[Callable[[Headers, bytes, float], Signed | None], Callable[[str], list[bytes]], Callable[[bytes], str]],
] = {
    "standard": (_standard, _standard_keys, _base64),
    "github": (_github, _plain, bytes.hex),
    "stripe": (_stripe, _plain, bytes.hex),
}
