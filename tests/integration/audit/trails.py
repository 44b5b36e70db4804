"""Chains made by hand, so that tests know every link; and somebody who owns the database and covers his tracks."""

import base64
import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command

from audit import lines, offline
from audit.formulas import GENESIS, leaf, link_hash, root_of
from audit.models import AuditEvent, Seal, SealedHead
from audit.recording import Link, seal
from dotdo_site.lib.ids import uuid7

LONG_AGO = datetime(2024, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
Superuser = psycopg.Connection[tuple[Any, ...]]


def chain(links: int = 4, *, run: uuid.UUID | None = None, at: datetime = LONG_AGO) -> uuid.UUID:
    """Write a chain of a run and return its name."""
    name = uuid7()
    extend(name, links, run=run or uuid7(), at=at)
    return name


def extend(name: uuid.UUID, links: int, *, run: uuid.UUID | None = None, at: datetime = LONG_AGO) -> None:
    """Append links to a chain; of the run that it has, unless another one is named."""
    AuditEvent.objects.bulk_create([AuditEvent(**row) for row in following(name, links, run=run, at=at)])


def following(
    name: uuid.UUID, links: int, *, run: uuid.UUID | None = None, at: datetime = LONG_AGO
) -> list[dict[str, Any]]:
    """Return the next links of a chain as rows."""
    last = AuditEvent.objects.filter(chain=name).order_by("-seq").first()
    seq, head = (last.seq + 1, bytes(last.hash)) if last else (0, GENESIS)
    run = run or (last.run if last else None)
    rows = []
    for number in range(seq, seq + links):
        kind = "run.started" if number == 0 else "step.succeeded"
        moment = at + timedelta(seconds=number)
        link = seal(
            head, chain=name, seq=number, kind=kind, actor="worker:ü", at=moment, run=run, data={"step": str(number)}
        )
        rows.append({field: getattr(link, field) for field in Link._fields})
        head = link.hash
    return rows


def verify(**options: Any) -> str:
    """Run `verify_audit`; return what it says is wrong, or "whole"."""
    return said(**options)[1] or "whole"


def said(**options: Any) -> tuple[str, str]:
    """Run `verify_audit`; return what it says, and what is wrong."""
    told, errors = StringIO(), StringIO()
    try:
        call_command("verify_audit", stdout=told, stderr=errors, **options)
    except CommandError as error:
        return told.getvalue(), f"{errors.getvalue()}{error}"
    return told.getvalue(), ""


def judged(path: Path, *, seals: Path | None = None, key: str = "") -> list[str]:
    """Verify an export without the database; return what is wrong."""
    verifier = offline.Verifier(offline.kept(seals), key)
    with path.open("rb") as file:
        for position, raw in enumerate(file, 1):
            verifier.take(position, raw)
    verifier.close()
    return verifier.wrong


def behind(superuser: Superuser, *statements: str) -> None:
    """Do something as the owner of the database, with the triggers off."""
    superuser.execute("SET session_replication_role = replica")
    for statement in statements:
        superuser.execute(statement)
    superuser.execute("SET session_replication_role = DEFAULT")


def written_again(superuser: Superuser, name: uuid.UUID, actor: str) -> bytes:
    """Let somebody else have done all that a chain tells, with hashes that fit; return its new head."""
    head = GENESIS
    for event in AuditEvent.objects.filter(chain=name).order_by("seq"):
        head = link_hash(head, name, event.seq, event.kind, actor, event.reason, event.at, event.data)
        behind(superuser, f"UPDATE audit_event SET actor = '{actor}', hash = '\\x{head.hex()}' WHERE id = {event.id}")
    return head


def sealed_again(superuser: Superuser, number: int, *, key: Ed25519PrivateKey | None = None) -> None:
    """Make a seal fit the heads that are under it now, and the seal before it."""
    made = Seal.objects.get(pk=number)
    heads = SealedHead.objects.filter(seal=number).order_by("chain").values_list("chain", "seq", "hash")
    leaves = [leaf(head.bytes, seq, bytes(digest)) for head, seq, digest in heads]
    made.root, made.count = root_of(leaves), len(leaves)
    made.previous = bytes(Seal.objects.get(pk=number - 1).hash) if number else GENESIS
    made.key = _public(key) if key else made.key
    text = lines.text_of(made)
    signature = key.sign(text.encode()) if key else bytes(made.signature)
    behind(
        superuser,
        f"UPDATE audit_seal SET root = '\\x{bytes(made.root).hex()}', count = {made.count}, key = '{made.key}', "
        f"previous = '\\x{bytes(made.previous).hex()}', signature = '\\x{signature.hex()}', "
        f"hash = '\\x{hashlib.sha256(text.encode()).hexdigest()}' WHERE number = {number}",
    )


def ndjson(text: str) -> list[dict[str, Any]]:
    """Return the lines of an export or an anchor."""
    return [json.loads(line) for line in text.splitlines()]


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()
