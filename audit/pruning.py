"""Delete old chains of what is gone, so that everything that is left still verifies.

Only the database's function `audit_prune` can: it takes whole chains whose last link is sealed, and leaves a tombstone
for each. The event of the pruning carries the root over those tombstones, and is sealed itself.
"""

import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from audit import lines
from audit.formulas import root_of, stamp, text_leaf
from audit.models import Tombstone
from audit.recording import TRAIL, record
from dotdo_site.lib import signs

BATCH = 500  # chains of one transaction
LINKS = 20_000  # and their links; a longer chain goes alone
PAGE = 5_000  # chains that one look considers: most of them may belong to runs that are still there
ROUNDS = 20  # transactions of one round of the chore
ROUND_SECONDS = 20.0
AGAIN_SECONDS = 24 * 3600.0  # what was kept behind the place where the chore is may be gone by then
SYSTEM = "system"
Place = tuple[datetime, int]
START: Place = (datetime(1970, 1, 1, tzinfo=UTC), 0)
_PATIENCE = "SELECT set_config('statement_timeout', '300s', true)"
_PRUNE = "SELECT count(*), coalesce(sum(seq + 1), 0) FROM audit_prune(%s::uuid[], %s, %s, %s)"
# First links of chains, and how many links those have that belong to one run or event that is gone; the function looks
# again, and at every link.
_OLD = """
    WITH page AS MATERIALIZED (
        SELECT e.id, e.at, e.chain, CASE
            WHEN e.run IS NOT NULL THEN NOT EXISTS (SELECT FROM run r WHERE r.id = e.run)
            ELSE e.kind = 'event.received' AND NOT EXISTS (SELECT FROM event i WHERE i.id = e.chain) END AS gone
        FROM audit_event e WHERE e.seq = 0 AND e.at < %s AND (e.at, e.id) > (%s, %s)
        ORDER BY e.at, e.id LIMIT %s)
    SELECT p.at, p.id, p.chain,
        CASE WHEN p.gone THEN (SELECT max(l.seq) + 1 FROM audit_event l WHERE l.chain = p.chain) ELSE 0 END
    FROM page p ORDER BY p.at, p.id
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
            cursor.execute(_PATIENCE)
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


@dataclass(slots=True)
class Walk:
    """How far a walk over the chains is, the oldest first, and whether it has seen the last one."""

    place: Place = START
    ended: bool = False
    began: float = field(default_factory=time.monotonic)

    def restart(self) -> None:
        """Begin again with the oldest chain."""
        self.place, self.ended, self.began = START, False, time.monotonic()


def prune_due() -> None:
    """Prune what is older than the settings keep; a bounded part of it, behind what this process has looked at."""
    if not settings.AUDIT_DAYS:
        return
    if _walk.ended and time.monotonic() - _walk.began > AGAIN_SECONDS:
        _walk.restart()
    before = timezone.now() - timedelta(days=settings.AUDIT_DAYS)
    reason, until = f"older than {settings.AUDIT_DAYS} days", time.monotonic() + ROUND_SECONDS
    prune_old(before, actor=SYSTEM, reason=reason, rounds=ROUNDS, until=until, walk=_walk)


def prune_old(
    before: datetime,
    *,
    actor: str,
    reason: str,
    rounds: int,
    export: str = "",
    until: float = math.inf,
    walk: Walk | None = None,
) -> Pruned:
    """Prune chains that are older than a moment, a batch at a time, oldest first, until a moment of the clock."""
    walk = walk or Walk()
    chains, links = 0, 0
    while rounds and time.monotonic() < until:
        signs.give()
        place, ended, found = _old(before, walk.place)
        if found:
            done = prune(found, before=before, actor=actor, reason=reason, export=export)
            chains, links, rounds = chains + done.chains, links + done.links, rounds - 1
        walk.place, walk.ended = place, ended
        if ended:
            break
    return Pruned(chains, links)


def batch_root(batch: Any) -> tuple[bytes, int]:
    """Return the root over the tombstones of one pruning, and how many they are."""
    rows = Tombstone.objects.filter(batch=batch).order_by("chain")
    leaves = [text_leaf(lines.line(lines.of_tombstone(row))) for row in rows]
    return root_of(leaves), len(leaves)


def _old(before: datetime, place: Place) -> tuple[Place, bool, list[uuid.UUID]]:
    """Return the next chains that may go, the place behind them, and whether it is the last one."""
    with connection.cursor() as cursor:
        cursor.execute(_OLD, [before, *place, PAGE])
        rows = cursor.fetchall()
    found, total = list[uuid.UUID](), 0
    for at, number, chain, links in rows:
        if found and links and (len(found) == BATCH or total + links > LINKS):
            return place, False, found
        if links:
            found.append(chain)
            total += links
        place = (at, number)
    return place, len(rows) < PAGE, found


_walk = Walk()  # that of this process
