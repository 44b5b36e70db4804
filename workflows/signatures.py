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
    found = read({name: str(value) for name, value in headers.items()}, body, now)
    signed, given = (b"", []) if isinstance(found, str) else found
    expected = [text(hmac.digest(key, signed, "sha256")) for secret in secrets for key in keys(secret)]
    compared = [_same(one, other) for one in expected for other in given]
    return any(compared)


def signed(secrets: Iterable[str], number: str, at: int, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks for a message sent at `at` (seconds since 1970), signed with each secret.

    Base64, with or without `whsec_`, stands for the bytes; another text is taken as it is.
    """
    content = _bytes(f"{number}.{at}.") + body
    keys = [_standard_keys(secret)[0] for secret in secrets if _standard_keys(secret)]
    digests = [f"v1,{_base64(hmac.digest(key, content, 'sha256'))}" for key in keys]
    return {"webhook-id": number, "webhook-timestamp": str(at), "webhook-signature": " ".join(digests)}


def message_id(style: str, headers: Headers, value: Any, body: bytes) -> str:
    """Return what names a verified message, so that it is taken once: 1 to 180 visible characters.

    `value` is the body, parsed. GitHub does not sign its number of the delivery; what has none is named by its body.
    """
    found = value.get("id") if style == "stripe" and isinstance(value, Mapping) else headers.get(NUMBERS.get(style, ""))
    if isinstance(found, str) and _VISIBLE.fullmatch(found):
        return found
    return "sha256:" + hashlib.sha256(_bytes(found) if found and isinstance(found, str) else body).hexdigest()


def complaint(style: str, secrets: Iterable[str], headers: Headers, now: float) -> str:
    """Return why a request was not believed, for the log of those who own the endpoint."""
    found = STYLES[style][0](headers, b"", now)
    if isinstance(found, str):
        return found
    taken = "; none is base64, with or without whsec_, so they are taken as text"
    odd = style == "standard" and not any(_decoded(secret) for secret in secrets)
    return f"No secret of the connection gives this signature{taken if odd else ''}."


def usable(style: str, secrets: Iterable[str]) -> bool:
    """Tell whether anything can be signed with one of the secrets."""
    return any(STYLES[style][1](secret) for secret in secrets)


def _standard(headers: Headers, body: bytes, now: float) -> Signed | str:
    number, sent, signature = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    for name, value in (("id", number), ("timestamp", sent), ("signature", signature)):
        if not value:
            return _missing(f"webhook-{name}")
    given = [part.partition(",") for part in signature.split()]
    digests = [text for version, _, text in given if version == "v1"]
    if not digests:
        return _unreadable("webhook-signature")
    return _late("webhook-timestamp", sent, now) or (_bytes(f"{number}.{sent}.") + body, digests)


def _github(headers: Headers, body: bytes, _now: float) -> Signed | str:
    signature = headers.get("x-hub-signature-256", "")
    if not signature:
        return _missing("x-hub-signature-256")
    method, _, digest = signature.partition("=")
    return (body, [digest]) if method == "sha256" and digest else _unreadable("x-hub-signature-256")


def _stripe(headers: Headers, body: bytes, now: float) -> Signed | str:
    signature = headers.get("stripe-signature", "")
    if not signature:
        return _missing("stripe-signature")
    parts = [part.strip().partition("=") for part in signature.split(",")]
    sent = next((value for name, _, value in parts if name == "t"), "")
    digests = [value for name, _, value in parts if name == "v1"]
    if not digests:
        return _unreadable("stripe-signature")
    return _late("stripe-signature", sent, now) or (_bytes(f"{sent}.") + body, digests)


def _missing(header: str) -> str:
    return f"The header {header} is missing."


def _unreadable(header: str) -> str:
    return f"The header {header} cannot be read."


def _late(header: str, sent: str, now: float) -> str:
    """Return what is wrong with the time at which it was signed, in seconds since 1970; nothing if it is near."""
    if not _SECONDS.fullmatch(sent):
        return _unreadable(header)
    return "" if abs(now - int(sent)) <= TOLERANCE_SECONDS else "The time of the signature is not within 5 minutes."


def _plain(secret: str) -> list[bytes]:
    return [_bytes(secret)]


def _standard_keys(secret: str) -> list[bytes]:
    """Return the bytes that the secret may stand for: base64, and without the prefix perhaps the text itself."""
    decoded = _decoded(secret)
    return [key for key in (decoded, b"" if secret.startswith(_PREFIX) else _bytes(secret)) if key]


def _decoded(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


STYLES: Mapping[
    str,
    tuple[Callable[[Headers, bytes, float], Signed | str], Callable[[str], list[bytes]], Callable[[bytes], str]],
] = {
    "standard": (_standard, _standard_keys, _base64),
    "github": (_github, _plain, bytes.hex),
    "stripe": (_stripe, _plain, bytes.hex),
}
