"""Copies of the seals outside the database, so that whoever owns the database cannot take the last ones back.

Each place has a row that says how far it is. A place that cannot be written to loses nothing: the next look goes on
there. A process that dies between writing and noting writes a seal twice, which `verify_audit --anchor` allows.
"""

import base64
import hashlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from audit import lines, signing
from audit.models import Anchor, Seal
from audit.posting import TooSlow, post
from dotdo_site.lib import signs
from dotdo_site.lib.disk import sync_folder

log = logging.getLogger(__name__)
BATCH = 100
ROUND_SECONDS = 5.0  # after this time no further seal is begun
TIMEOUT_SECONDS = 10.0  # for the whole exchange with a webhook
SLOW_SECONDS = 5.0
OK = range(200, 300)


class NotAnchored(Exception):
    """A place outside the database did not take a seal."""


@dataclass(frozen=True, slots=True)
class Target:
    """A place outside the database, and how a seal gets there.

    `put` raises OSError, HTTPError, NotAnchored or TooSlow.
    """

    name: str
    put: Callable[[Seal], None]


def targets() -> list[Target]:
    """Return the places that the settings name. An address is shortened: it may hold a secret."""
    found = []
    if path := settings.AUDIT_ANCHOR_FILE:
        found.append(Target(name_of(path), lambda seal: append(Path(path), lines.line(lines.of_seal(seal)))))
    if url := settings.AUDIT_ANCHOR_URL:
        digest = hashlib.sha256(url.encode()).hexdigest()[:12]
        found.append(Target(f"{urlsplit(url).hostname} {digest}"[:300], lambda seal: send(url, seal)))
    return found


def name_of(path: Path | str) -> str:
    """Return what a file is called among the places."""
    return f"file {path}"[:300]


def deliver() -> None:
    """Bring seals to every place that lacks some, the oldest first, a part at a time; note and log what fails."""
    until = time.monotonic() + ROUND_SECONDS
    for target in targets():
        anchor, _ = Anchor.objects.get_or_create(target=target.name, defaults={"upto": -1})
        for seal in Seal.objects.filter(number__gt=anchor.upto).order_by("number")[:BATCH]:
            if not _deliver(target, seal) or time.monotonic() > until:
                break


def append(path: Path, text: str) -> None:
    """Add a line to a file and wait until it is on the disk; a line that was torn before stays alone."""
    fresh = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = (b"\n" if torn else b"") + text.encode() + b"\n"
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if fresh:
        sync_folder(path.parent)


def send(url: str, seal: Seal) -> None:
    """Post a seal, signed as Standard Webhooks say with Ed25519 (`v1a`); every attempt has the same id."""
    number, sent = f"seal_{bytes(seal.hash).hex()[:32]}", str(int(time.time()))
    body = lines.line({"type": "audit.sealed", "timestamp": sent, "data": lines.of_seal(seal)})
    signature = base64.b64encode(signing.sign(f"{number}.{sent}.{body}")).decode()
    headers = {
        "content-type": "application/json",
        "webhook-id": number,
        "webhook-timestamp": sent,
        "webhook-signature": f"v1a,{signature}",
    }
    status = post(url, body, headers, TIMEOUT_SECONDS)
    if status not in OK:
        raise NotAnchored(f"the answer was {status}")


def _deliver(target: Target, seal: Seal) -> bool:
    """Bring one seal to its place and note it; tell whether that worked.

    That an attempt began is noted first: one that hangs, on a disk that does not answer, is seen while it does.
    """
    row = Anchor.objects.filter(target=target.name)
    row.update(tried_at=timezone.now(), error=f"seal {seal.number} is being written and has not arrived yet")
    signs.give()
    began = time.monotonic()
    try:
        target.put(seal)
    except (OSError, httpx.HTTPError, httpx.InvalidURL, NotAnchored, TooSlow) as error:
        why = f"{type(error).__name__}: {error}"
        log.warning("seal %d is not anchored in %s yet: %s", seal.number, target.name, why)
        row.update(tried_at=timezone.now(), failures=F("failures") + 1, error=why)
        return False
    took = time.monotonic() - began
    slow = f"slow: seal {seal.number} took {took:.0f} s" if took > SLOW_SECONDS else ""
    if slow:
        log.warning("the anchor %s is %s", target.name, slow)
    row.update(upto=Greatest("upto", seal.number), tried_at=timezone.now(), failures=0, error=slow)
    return True
