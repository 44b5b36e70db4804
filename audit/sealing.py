"""Seal the heads of all chains that changed since the last seal, beside the writers and without their help.

Events get their ids when they are written and appear when they are committed, so an event may appear behind one with a
larger id. A seal therefore knows two ids: up to its `reach` it has looked, up to its `horizon` nothing can appear any
more, and the next seal looks again behind the horizon. Every writer holds a lock on the table from before it takes an
id until its commit can be seen, so the horizon is proved by asking who holds that lock, once the newest id is known,
and waiting until those are gone. A snapshot would not do: a writer may have taken an id and not yet a transaction id.

While a writer hangs the horizon stands still and a seal looks back one window only; once the writer is gone, the
horizon follows a window at a time, beside what is new.
"""

import hashlib
import time
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from audit import anchoring, signing
from audit.formulas import GENESIS, leaf, root_of, seal_text
from audit.models import Seal
from dotdo_site.lib import signs

WINDOW = 200_000  # ids ahead, and as many back, that one seal looks at: it bounds a transaction and its memory
ROUND = 5  # seals that one look of the chore makes at most
PATIENCE_SECONDS = 2.0
_LOCK = 0x5EA1
_ALLOCATED = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM audit_event_id_seq"
_WRITERS = """
    SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND granted AND mode = 'RowExclusiveLock'
        AND relation = 'audit_event'::regclass AND pid IS DISTINCT FROM pg_backend_pid()
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_HEADS = """
    INSERT INTO audit_sealed_head (chain, seq, hash, seal_id)
    SELECT DISTINCT ON (e.chain) e.chain, e.seq, e.hash, %s FROM audit_event e
    WHERE e.id > %s AND e.id <= %s
        AND NOT EXISTS (SELECT FROM audit_sealed_head h WHERE h.chain = e.chain AND h.seq >= e.seq)
    ORDER BY e.chain, e.seq DESC
"""
_LEAVES = "SELECT uuid_send(chain), seq, hash FROM audit_sealed_head WHERE seal_id = %s ORDER BY chain"


def seal_due() -> None:
    """Make the seals that are due, then bring those that are missing there to the anchors."""
    last, allocated = newest(), _allocated()
    every = timedelta(seconds=settings.AUDIT_SEAL_SECONDS)
    at = now()
    # A seal of the future is of a clock that was wrong: nobody waits until that is true.
    if last is None or last.at > at or last.at + every <= at or allocated - last.reach > WINDOW:
        seal(at_most=ROUND)
    anchoring.deliver()


def seal(*, at_most: int = 1_000_000) -> list[Seal]:
    """Seal what is not sealed, a window at a time, and return the new seals."""
    made: list[Seal] = []
    while len(made) < at_most:
        signs.give()
        allocated = _allocated()
        settled = _settled()
        found = _seal_up_to(allocated, settled=settled)
        if found is None:
            return made
        made.append(found)
        if found.reach >= allocated and (found.horizon >= found.reach or not settled):
            return made
    return made


def newest() -> Seal | None:
    """Return the last seal."""
    return Seal.objects.order_by("-number").first()


def leaves(number: int) -> list[bytes]:
    """Return the leaves of the tree of a seal, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAVES, [number])
        return [leaf(bytes(chain), seq, bytes(head)) for chain, seq, head in cursor.fetchall()]


def settled_up_to() -> int | None:
    """Return an id up to which every event that there will ever be can be seen; None while a writer hangs."""
    allocated = _allocated()
    return allocated if _settled() else None


def _allocated() -> int:
    """Return the newest id that a writer has taken."""
    with connection.cursor() as cursor:
        cursor.execute(_ALLOCATED)
        return int(cursor.fetchone()[0])


def now() -> datetime:
    """Return what the database's clock says, as seals do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def _settled() -> bool:
    """Wait for all who are writing events now; tell whether they ended. Whoever begins later is not waited for."""
    before = _writers()
    until = time.monotonic() + PATIENCE_SECONDS
    while before and time.monotonic() < until:
        time.sleep(0.01)
        before &= _writers()
    return not before


def _writers() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS)
        return {name for (name,) in cursor.fetchall()}


@transaction.atomic
def _seal_up_to(allocated: int, *, settled: bool) -> Seal | None:
    """Make one seal; None when nothing is new or somebody else made it meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        last = newest()
        number, behind, seen = (last.number + 1, last.horizon, last.reach) if last else (0, 0, 0)
        reach = max(seen, min(allocated, seen + WINDOW))
        ranges = _ranges(behind, seen, reach, settled=settled)
        # What is new comes first: a chain that has a newer head under this seal gets no older one beside it.
        found = 0
        for low, high in ranges:
            cursor.execute(_HEADS, [number, low, high])
            found += cursor.rowcount
        horizon = max(behind, min(ranges[-1][1], allocated)) if settled else behind
        is_over = reach >= allocated and len(ranges) == 1
        if not found and is_over and (last is None or last.key == signing.public_key()):
            return None
        return _write(number, reach, horizon, last)


def _ranges(behind: int, seen: int, reach: int, *, settled: bool) -> list[tuple[int, int]]:
    """Return the ids to look at: behind the one, up to the other."""
    if seen - behind <= WINDOW:
        return [(behind, reach)]
    return [(seen, reach), (behind, behind + WINDOW)] if settled else [(seen - WINDOW, reach)]


def _write(number: int, reach: int, horizon: int, last: Seal | None) -> Seal:
    nodes = leaves(number)
    at = now()
    root, key = root_of(nodes), signing.public_key()
    previous = bytes(last.hash) if last else GENESIS
    text = seal_text(number, at, len(nodes), root, reach, horizon, previous, key)
    return Seal.objects.create(
        number=number,
        at=at,
        count=len(nodes),
        root=root,
        reach=reach,
        horizon=horizon,
        previous=previous,
        hash=hashlib.sha256(text.encode()).digest(),
        key=key,
        signature=signing.sign(text),
    )
