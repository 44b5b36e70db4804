"""End a step whose run ended while it was running: its result is dropped, and the audit trail says so."""

from workflows import claim
from workflows.claim import Claimed
from workflows.progress import Lessee, run_ended_link
from workflows.sql import Statement

_CLOSE = Statement(
    """
    WITH g AS MATERIALIZED (
        SELECT b.id AS branch, s.id AS step FROM branch b JOIN step s ON s.branch_id = b.id
        WHERE b.id = :branch AND b.revision = :revision AND s.id = :step AND s.claim = :claim AND s.state = 'running'
        FOR NO KEY UPDATE OF b, s),
    done AS (
        UPDATE step s SET state = 'cancelled', leased_by = NULL, lease_expires_at = NULL,
            finished_at = clock_timestamp()
        FROM g WHERE s.id = g.step),
    moved AS (
        UPDATE branch b SET revision = b.revision + 1, audit_seq = :seq, audit_head = :hash
        FROM g WHERE b.id = g.branch)
    INSERT INTO audit_event (chain, seq, run, kind, actor, reason, at, data, hash)
    SELECT g.branch, :seq, :run, :kind, :actor, :reason, :at, :data, :hash FROM g RETURNING seq
    """
)


def close(held: Claimed, lessee: Lessee) -> None:
    """Mark a held step cancelled; nothing happens when somebody else has taken it over meanwhile."""
    current: Claimed | None = held
    while current is not None:
        link = run_ended_link(current, lessee)
        values = {
            "branch": current.branch,
            "revision": current.revision,
            "step": current.step,
            "claim": current.claim,
            "run": current.run,
            "seq": link.seq,
            "kind": link.kind,
            "actor": link.actor,
            "reason": link.reason,
            "at": link.at,
            "data": link.data,
            "hash": link.hash,
        }
        if _CLOSE.rows(values):
            return
        current = claim.reload(held.step, held.claim)
