"""System checks of the audit settings: a wrong one stops the start with a number and a hint."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from audit import signing

SHORTEST_SECONDS, LONGEST_SECONDS = 1, 7 * 24 * 3600
LONGEST_DAYS = 36_500


@register(Tags.security)
def check_audit(**_: Any) -> list[CheckMessage]:
    """Check that the audit trail can be sealed, signed and anchored as the settings say."""
    return [*_key(), *_times(), *_file(), *_url()]


def _key() -> Iterator[CheckMessage]:
    if not settings.AUDIT_SIGNING_KEY:
        hint = "Run `make migrate` once: it adds one to var/keys/keys.json. Or set DOTDO_AUDIT_SIGNING_KEY."
        yield checks.Warning("No key signs the seals of the audit trail.", hint=hint, id="dotdo.W051")
    elif not signing.usable(settings.AUDIT_SIGNING_KEY):
        hint = "Use base64 of 32 random bytes: openssl rand -base64 32"
        yield Error("DOTDO_AUDIT_SIGNING_KEY is not a key.", hint=hint, id="dotdo.E050")


def _times() -> Iterator[CheckMessage]:
    seconds, days = settings.AUDIT_SEAL_SECONDS, settings.AUDIT_DAYS
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        hint = f"Use {SHORTEST_SECONDS} to {LONGEST_SECONDS}."
        yield Error(f"DOTDO_AUDIT_SEAL_SECONDS={seconds:g} is out of range.", hint=hint, id="dotdo.E052")
    if not 0 <= days <= LONGEST_DAYS:
        hint = f"Use 1 to {LONGEST_DAYS}, or 0 to keep everything."
        yield Error(f"DOTDO_AUDIT_DAYS={days} is out of range.", hint=hint, id="dotdo.E053")


def _file() -> Iterator[CheckMessage]:
    path = Path(settings.AUDIT_ANCHOR_FILE)
    if settings.AUDIT_ANCHOR_FILE and (not path.is_absolute() or path.is_dir()):
        hint = "Give the whole path of a file, on a disk that whoever owns the database cannot write to."
        yield Error(f"DOTDO_AUDIT_ANCHOR_FILE={settings.AUDIT_ANCHOR_FILE!r} is no file.", hint=hint, id="dotdo.E054")


def _url() -> Iterator[CheckMessage]:
    if not settings.AUDIT_ANCHOR_URL:
        return
    if not _is_address(settings.AUDIT_ANCHOR_URL):
        hint = "Give a whole address: https://anchors.example.com/dotdo"
        yield Error("DOTDO_AUDIT_ANCHOR_URL is no address.", hint=hint, id="dotdo.E055")
    elif not settings.AUDIT_SIGNING_KEY:
        hint = "Set DOTDO_AUDIT_SIGNING_KEY: what is sent is signed with it."
        yield Error("DOTDO_AUDIT_ANCHOR_URL needs a signing key.", hint=hint, id="dotdo.E056")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
