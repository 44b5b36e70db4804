"""What the branches of runs say of their audit chains: a chain whose end was cut off still fits in itself."""

import uuid

from workflows.sql import Statement

_CUT = Statement(
    """
    SELECT b.id, b.audit_seq FROM branch b
    LEFT JOIN audit_event e ON e.chain = b.id AND e.seq = b.audit_seq
    WHERE e.hash IS DISTINCT FROM b.audit_head AND (:chain::uuid IS NULL OR b.id = :chain::uuid)
    ORDER BY b.id
    """
)


def cut_chains(chain: uuid.UUID | None = None) -> list[tuple[uuid.UUID, int]]:
    """Return (chain, number of the last link it should have) where the branch knows a later or another last link."""
    return [(found, seq) for found, seq in _CUT.rows({"chain": chain})]
