"""The epoch: the upper part of every fence, so that no fence goes backwards when the database does.

A restored backup and a standby that takes over without the last commits count their claims from an earlier number,
while receivers remember later ones. The row names the server (its system identifier and timeline) that it was last
seen on. Where that does not fit any more, or a restore has taken the name away, the epoch rises. It is a number of
seconds, so that two restores of one backup differ too.
"""

import logging
import time
import uuid
from typing import Any

from django.db import transaction
from psycopg import errors

from audit import recording
from workflows.sql import Hot, Statement

log = logging.getLogger(__name__)
CHAIN = uuid.UUID("0e90c000-0000-7000-8000-000000000000")  # of the audit trail: a database has one epoch
CLAIM_BITS = 22  # 31 bits of seconds since 2026 above them last until 2094, within the integers of JSON
LOOK_SECONDS = 1.0
NOTICED = "The database is restored, or another server than before."
_IDENTITY = "(SELECT system_identifier::text FROM pg_control_system()), left(pg_walfile_name(pg_current_wal_lsn()), 8)"
_NOBODY = "'', ''"
_READ = "SELECT value FROM epoch WHERE (server, timeline) = ({identity})"
_RAISE = """
    INSERT INTO epoch AS e (id, value, server, timeline, began_at)
    SELECT 1, extract(epoch FROM clock_timestamp() - timestamptz '2026-01-01 00:00Z')::bigint, {identity},
        clock_timestamp()
    ON CONFLICT (id) DO UPDATE SET value = greatest(e.value + 1, excluded.value), server = excluded.server,
        timeline = excluded.timeline, began_at = excluded.began_at
    WHERE :always OR (e.server, e.timeline) <> (excluded.server, excluded.timeline)
    RETURNING value, xmax = 0
    """


class _Statements:
    """Both statements, for a server that tells who it is, or for one where our role may not ask."""

    def __init__(self, identity: str) -> None:
        self.read = Hot(_READ.format(identity=identity))
        self.lift = Statement(_RAISE.format(identity=identity))


_told, _untold = _Statements(_IDENTITY), _Statements(_NOBODY)
_statements = [_told]
_known: list[tuple[int, float]] = []


def fence(claim: int) -> int:
    """Return the number for the outside that belongs to a claim: it grows with each claim and with each epoch."""
    value = _known[0][0] if _known else look()
    return (value << CLAIM_BITS) + claim


def look(within: float = LOOK_SECONDS) -> int:
    """Read the epoch, unless that was within so many seconds; raise it when the server is not the one it was."""
    now = time.monotonic()
    if _known and now - _known[0][1] < within:
        return _known[0][0]
    value = _read() or _lift(always=False, actor="system", reason=NOTICED) or _read()
    _known[:] = [(value, now)]
    return value


def forget() -> None:
    """Ask again before the next claim: the connection was lost, and the server may be another one."""
    _known.clear()


def lift(*, actor: str, reason: str) -> int:
    """Raise the epoch whatever the server says, and return it."""
    forget()
    return _lift(always=True, actor=actor, reason=reason)


def _read() -> int:
    """Return the epoch, or 0 where its row does not name this server."""
    try:
        rows = _statements[0].read.rows()
    except (errors.InsufficientPrivilege, errors.FeatureNotSupported) as error:
        if _statements[0] is _untold:
            raise
        log.warning("the server does not say who it is (%s): after a failover, run `manage.py raise_epoch`", error)
        _statements[0] = _untold
        return _read()
    return int(rows[0][0]) if rows else 0


def _lift(*, always: bool, actor: str, reason: str) -> int:
    """Raise the epoch and say so in the audit trail; 0 when somebody else did just now. The first one is no event."""
    with transaction.atomic():
        rows: list[tuple[Any, ...]] = _statements[0].lift.rows({"always": always})
        if not rows:
            return 0
        value, first = rows[0]
        if not first:
            recording.record(chain=CHAIN, kind="epoch.raised", actor=actor, reason=reason, data={"epoch": value})
            log.warning("the epoch is %d now: every fence is larger than all before (%s)", value, reason)
    return int(value)
