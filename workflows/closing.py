"""Settle a held step by its row alone, when there is nothing to apply to its run: its data is not even read."""

from typing import Any

from actions.errors import Failure
from audit.recording import Link
from dotdo_site.lib import canonical
from workflows import claim
from workflows.claim import Claimed
from workflows.failures import language_error
from workflows.lessee import Lessee
from workflows.sql import Statement
from workflows.trail import over_links, poisoned_links

_GUARD = """
    WITH g AS MATERIALIZED (
        SELECT r.id AS run, b.id AS branch, s.id AS step
        FROM run r JOIN branch b ON b.run_id = r.id JOIN step s ON s.branch_id = b.id
        WHERE b.id = :branch AND b.revision = :revision AND s.id = :step AND s.claim = :claim AND s.state = 'running'
            AND (:state::text <> 'failed' OR r.state NOT IN ('succeeded', 'cancelled'))
        FOR NO KEY UPDATE OF r, b, s),
    done AS (
        UPDATE step s SET state = :state::text, error = :error::jsonb, leased_by = NULL, lease_expires_at = NULL,
            finished_at = clock_timestamp()
        FROM g WHERE s.id = g.step),
    moved AS (
        UPDATE branch b SET revision = b.revision + 1, audit_seq = :last_seq, audit_head = :last_hash
        FROM g WHERE b.id = g.branch)"""
_FAIL = """,
    ran AS (
        UPDATE run r SET state = 'failed', reason = :reason, error = :run_error::jsonb,
            started_at = coalesce(r.started_at, clock_timestamp()),
            stopped_at = coalesce(r.stopped_at, clock_timestamp())
        FROM g WHERE r.id = g.run)"""
_LINKS = """
    INSERT INTO audit_event (chain, seq, run, kind, actor, reason, at, data, hash)
    SELECT g.branch, link.seq, g.run, link.kind, :actor, '', :at, link.data, link.hash
    FROM g CROSS JOIN unnest(:seqs::int[], :kinds::text[], :datas::text[], :hashes::bytea[])
        AS link (seq, kind, data, hash)
    RETURNING seq"""
_CLOSE, _PARK = Statement(_GUARD + _LINKS), Statement(_GUARD + _FAIL + _LINKS)


def close(held: Claimed, lessee: Lessee) -> bool:
    """Mark a held step cancelled: its run or its scope ended, and its result is dropped. False if it was taken over."""
    current: Claimed | None = held
    while current is not None:
        links = over_links(current, lessee)
        if _CLOSE.rows(_values(current, links) | {"state": "cancelled", "error": None}):
            return True
        current = claim.reload(held.step, held.claim)
    return False


def park(held: Claimed, failure: Failure, reason: str, lessee: Lessee) -> bool:
    """Fail a held step and its run, cursor and context as they were; False, and nothing is done, if it moved."""
    errors = {
        "state": "failed",
        "error": canonical.dumps(failure.as_dict()),
        "reason": reason,
        "run_error": canonical.dumps(language_error(failure, held.ref)),
    }
    return bool(_PARK.rows(_values(held, poisoned_links(held, failure, reason, lessee)) | errors))


def _values(held: Claimed, links: list[Link]) -> dict[str, Any]:
    last = links[-1]
    return {
        "branch": held.branch,
        "revision": held.revision,
        "step": held.step,
        "claim": held.claim,
        "last_seq": last.seq,
        "last_hash": last.hash,
        "actor": last.actor,
        "at": last.at,
        "seqs": [link.seq for link in links],
        "kinds": [link.kind for link in links],
        "datas": [link.data for link in links],
        "hashes": [link.hash for link in links],
    }
