"""Delete old chains of what is gone, so that everything that is left still verifies.

Only the database's function `audit_prune` can: it takes whole chains whose last link is sealed, and leaves a tombstone
for each. The event of the pruning carries the root over those tombstones, and is sealed itself.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from audit import lines
from audit.formulas import root_of, stamp, text_leaf
from audit.models import Tombstone
from audit.recording import TRAIL, record

BATCH = 500  # chains of one transaction
ROUNDS = 20  # transactions of one round of the chore
SYSTEM = "system"
_PRUNE = "SELECT count(*), coalesce(sum(seq + 1), 0) FROM audit_prune(%s::uuid[], %s, %s, %s)"
# First links of chains that belong to one run or event; the function looks again, and at every link.
_OLD = """
    SELECT e.id, e.chain FROM audit_event e
    WHERE e.id > %s AND e.seq = 0 AND e.at < %s AND CASE
        WHEN e.run IS NOT NULL THEN NOT EXISTS (SELECT FROM run r WHERE r.id = e.run)
        ELSE e.kind = 'event.received' AND NOT EXISTS (SELECT FROM event i WHERE i.id = e.chain) END
    ORDER BY e.id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much was deleted."""

    chains: int = 0
    links: int = 0


def prune(chains: Sequence[uuid.UUID], *, before: datetime, actor: str, reason: str = "", export: str = "") -> Pruned:
    """Delete those of the chains that are whole, sealed, older than `before`, and whose run or event is gone.

    `export` says where the links were kept. The others stay, and are not an error.
    """
    batch = uuid.uuid4()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_PRUNE, [list(chains), before, batch, export])
            found = Pruned(*map(int, cursor.fetchone()))
        if found.chains:
            root, _ = batch_root(batch)
            data = {
                "batch": str(batch),
                "chains": found.chains,
                "links": found.links,
                "root": root.hex(),
                "before": stamp(before),
                "export": export,
            }
            record(chain=TRAIL, kind="audit.pruned", actor=actor, reason=reason, data=data)
    return found


def prune_due() -> None:
    """Prune what is older than the settings keep; a bounded part of it."""
    if settings.AUDIT_DAYS:
        before = timezone.now() - timedelta(days=settings.AUDIT_DAYS)
        prune_old(before, actor=SYSTEM, reason=f"older than {settings.AUDIT_DAYS} days", rounds=ROUNDS)


def prune_old(before: datetime, *, actor: str, reason: str, rounds: int, export: str = "") -> Pruned:
    """Prune chains that are older than a moment, a batch at a time, oldest first."""
    position, chains, links = 0, 0, 0
    for _ in range(rounds):
        position, found = _old(before, position)
        done = prune(found, before=before, actor=actor, reason=reason, export=export) if found else Pruned()
        chains, links = chains + done.chains, links + done.links
        if len(found) < BATCH:
            break
    return Pruned(chains, links)


def batch_root(batch: Any) -> tuple[bytes, int]:
    """Return the root over the tombstones of one pruning, and how many they are."""
    rows = Tombstone.objects.filter(batch=batch).order_by("chain")
    leaves = [text_leaf(lines.line(lines.of_tombstone(row))) for row in rows]
    return root_of(leaves), len(leaves)


def _old(before: datetime, position: int) -> tuple[int, list[uuid.UUID]]:
    with connection.cursor() as cursor:
        cursor.execute(_OLD, [position, before, BATCH])
        rows = cursor.fetchall()
    return (rows[-1][0] if rows else position), [chain for _, chain in rows]
