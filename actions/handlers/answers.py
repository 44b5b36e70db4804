"""What a server's answer means: its content as a value (ruling R5), or the failure that its status is."""

import base64
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from actions import running
from actions.errors import ActionError
from actions.handlers.guard import Answer
from actions.sensitive import MASK, SHORTEST_SECRET, redact_value

UNCERTAIN = frozenset({408, 409, 429})
EXCERPT = 2_000


def content(answer: Answer) -> Any:
    """Return the body as a value: JSON read, text as text, nothing as null, the rest as base64."""
    if not answer.body:
        return None
    kind = answer.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return answer.json()
    if kind.startswith("text/"):
        return answer.body.decode(_charset(answer.headers["content-type"]), "replace").replace("\0", "\ufffd")
    return encoded(answer)


def encoded(answer: Answer) -> str:
    """Return the body as base64, without the secrets of connections that it may repeat."""
    body, current = answer.body, running.current()
    for secret in sorted(current.revealed if current else (), key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            body = body.replace(secret.encode(), MASK.encode())
    return base64.b64encode(body).decode()


def failure(method: str, url: str, answer: Answer, rules: Mapping[str, Any] | None = None) -> ActionError:
    """Return the error that an answer is; `rules` ({status or class: {code, retryable}}) come before the defaults."""
    status = answer.status
    rule = (rules or {}).get(str(status)) or (rules or {}).get(f"{status // 100}xx") or {}
    retryable = rule.get("retryable", status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500)
    target = urlsplit(url)
    said = redact_value(_said(answer))
    return ActionError(
        rule.get("code", f"http_{status}"),
        f"{method} {target.netloc}{target.path} answered {status} {phrase(status)}{_words(said)}".rstrip(),
        retryable=retryable,
        retry_after=retry_after(answer.headers) if retryable else None,
        definite=400 <= status < 500 and status not in UNCERTAIN,
        details={"status": status, "content": said if len(answer.body) <= EXCERPT else str(said)[:EXCERPT]},
    )


def phrase(status: int) -> str:
    """Return the reason phrase of a status, nothing for an unknown one."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _said(answer: Answer) -> Any:
    """Return the content; a body that is not what it says is shown as text, for the status is what matters."""
    try:
        return content(answer)
    except ActionError:
        return answer.body.decode(errors="replace").replace("\0", "\ufffd")


def _words(said: Any) -> str:
    """Return what the server said about it, where it said it in the usual places."""
    if isinstance(said, dict):
        for key in ("message", "detail", "title", "error_description", "error"):
            if isinstance(said.get(key), str):
                return f": {said[key][:300]}"
    return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return Retry-After in seconds; a date counts from the server's own clock (RFC 9110 §10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text).timestamp()
        since = parsedate_to_datetime(headers["date"]).timestamp() if "date" in headers else time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, until - since)


def _charset(content_type: str) -> str:
    found = re.search(r"charset=\"?([\w-]+)", content_type, re.ASCII)
    return found[1] if found and found[1].lower() in ("utf-8", "us-ascii", "iso-8859-1", "windows-1252") else "utf-8"
