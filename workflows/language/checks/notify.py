"""`metadata.dotdo.notify`: who is told when runs of the workflow need a person.

What is an address is said here and in `actions.notify`: the language imports nothing of that package.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from workflows.language import durations
from workflows.language.checks.report import Report, at, check_choice, check_object

ON = ("dead_letter", "undo_failed", "waiting_too_long", "schedule_failed")
DEFAULT_ON = ("dead_letter", "undo_failed")
KEYS = ("on", "email", "webhook", "connection", "after")
WAITING = "waiting_too_long"
MOST_ADDRESSES = 20
LONGEST_ADDRESS = 254
LONGEST_URL = 500
CONNECTION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_TOP = r"(?:[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9])"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:(?:{_LABEL}\.)+{_TOP}|localhost)")
VISIBLE = re.compile(r"[!-~]+")


def check_notify(report: Report, value: Any, pointer: str) -> None:
    """Check who is told of what."""
    if not check_object(report, value, pointer, KEYS):
        return
    on = value.get("on", list(DEFAULT_ON))
    if isinstance(on, list) and on:
        for place, kind in enumerate(on):
            check_choice(report, kind, at(at(pointer, "on"), place), ON)
    else:
        report.add(at(pointer, "on"), "this must be a list", found=on, expected=", ".join(ON))
    _check_after(report, value, isinstance(on, list) and WAITING in on, pointer)
    _check_email(report, value.get("email", []), at(pointer, "email"))
    _check_webhook(report, value, pointer)
    if not value.get("email") and not value.get("webhook"):
        report.add(pointer, "this tells nobody", suggestion="Give `email` or `webhook`.")


def _check_after(report: Report, value: dict[str, Any], wanted: bool, pointer: str) -> None:
    place = at(pointer, "after")
    if wanted and "after" not in value:
        report.add(pointer, f"`{WAITING}` needs `after`", suggestion="Say how long is too long: `after: PT4H`.")
    elif "after" in value and not wanted:
        report.add(place, f"`after` has an effect with `{WAITING}` only", suggestion=f"Add it to `on`: {WAITING}.")
    elif "after" in value:
        try:
            durations.parse_wait(value["after"])
        except durations.DurationError as error:
            report.add(place, str(error))


def _check_email(report: Report, value: Any, pointer: str) -> None:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or len(given) > MOST_ADDRESSES:
        report.add(pointer, "this must be a list of addresses", found=value, expected=f"{MOST_ADDRESSES} at most")
        return
    for place, address in enumerate(given):
        if not isinstance(address, str) or len(address) > LONGEST_ADDRESS or not ADDRESS.fullmatch(address):
            report.add(at(pointer, place), "this is not one e-mail address", found=address, expected="ops@example.com")


def _check_webhook(report: Report, value: dict[str, Any], pointer: str) -> None:
    webhook, connection = value.get("webhook"), value.get("connection")
    if "webhook" in value and not _is_url(webhook):
        expected = "https://example.com/hooks/dotdo"
        report.add(at(pointer, "webhook"), "this is not the address of a webhook", found=webhook, expected=expected)
    if "connection" in value and not (isinstance(connection, str) and CONNECTION.fullmatch(connection)):
        report.add(at(pointer, "connection"), "this is not the name of a connection", found=connection)
    if ("webhook" in value) != ("connection" in value):
        hint = "Give both: the connection holds the secret with which the webhook is signed."
        report.add(pointer, "`webhook` and `connection` belong together", suggestion=hint)


def _is_url(text: Any) -> bool:
    if not isinstance(text, str) or len(text) > LONGEST_URL or not VISIBLE.fullmatch(text):
        return False
    try:
        found = urlsplit(text)
        return found.scheme in ("http", "https") and bool(found.hostname) and found.username is None and found.port != 0
    except ValueError:
        return False
