"""The epoch: the upper part of every fence, so that no fence goes backwards when the database does.

A restored backup and a standby that takes over without the last commits count their claims from an earlier number,
while receivers remember later ones. The row names the server (its system identifier and timeline) that it was last
seen on. Where that does not fit any more, or a restore has emptied it, the epoch rises. It is a number of seconds, so
that two restores of one backup differ too.
"""

import logging
import time
from typing import Any

from psycopg import errors

from workflows.sql import Statement

log = logging.getLogger(__name__)
CLAIM_BITS = 22  # 31 bits of seconds since 2026 above them last until 2094, within the integers of JSON
LOOK_SECONDS = 1.0
RESTORED = "restored"  # what a restore writes where the server's name was
_IDENTITY = "(SELECT system_identifier::text FROM pg_control_system()), left(pg_walfile_name(pg_current_wal_lsn()), 8)"
_NOBODY = "'', ''"
_READ = "SELECT value FROM epoch WHERE (server, timeline) = ({identity})"
_RAISE = """
INSERT INTO epoch AS e (id, value, server, timeline, began_at)
SELECT 1, extract(epoch FROM clock_timestamp() - timestamptz '2026-01-01 00:00Z')::bigint, {identity}, clock_timestamp()
ON CONFLICT (id) DO UPDATE SET value = greatest(e.value + 1, excluded.value), server = excluded.server,
    timeline = excluded.timeline, began_at = excluded.began_at
WHERE :always OR (e.server, e.timeline) <> (excluded.server, excluded.timeline)
RETURNING value
"""
_known: list[tuple[int, float]] = []


class _Statements:
    """The statements, by a server that tells who it is, or by one where the role may not ask."""

    def __init__(self, identity: str) -> None:
        self.read = Statement(_READ.format(identity=identity))
        self.lift = Statement(_RAISE.format(identity=identity))


_told, _untold = _Statements(_IDENTITY), _Statements(_NOBODY)
_statements = [_told]


def fence(claim: int) -> int:
    """Return the number for the outside that belongs to a claim: it grows with each claim and with each epoch."""
    value = _known[0][0] if _known else look()
    return (value << CLAIM_BITS) + claim


def look() -> int:
    """Read the epoch, unless that was within the last second; raise it when the server is not the one it was."""
    now = time.monotonic()
    if _known and now - _known[0][1] < LOOK_SECONDS:
        return _known[0][0]
    value = _ask("read") or _ask("lift", always=False) or _ask("read")
    _known[:] = [(value, now)]
    return value


def forget() -> None:
    """Ask again before the next claim: the connection was lost, and the server may be another one."""
    _known.clear()


def lift() -> int:
    """Raise the epoch whatever the server says, and return it."""
    forget()
    return _ask("lift", always=True)


def _ask(statement: str, **values: Any) -> int:
    """Return the value that a statement gives, or 0; where the server does not tell who it is, ask without."""
    try:
        rows = getattr(_statements[0], statement).rows(values)
    except (errors.InsufficientPrivilege, errors.FeatureNotSupported) as error:
        if _statements[0] is _untold:
            raise
        log.warning("the server does not say who it is (%s): after a failover, run `manage.py raise_epoch`", error)
        _statements[0] = _untold
        return _ask(statement, **values)
    return int(rows[0][0]) if rows else 0
