"""What the branches of runs say of their audit chains: a chain whose end was cut off still fits in itself."""

import uuid
from collections.abc import Iterator

from dotdo_site.lib import signs
from workflows.sql import Statement

PAGE = 5_000  # branches of one statement: no statement grows with the installation
FIRST, LAST = 0, 2**128 - 1
_ENDS = Statement(
    """
    WITH page AS MATERIALIZED (
        SELECT b.id, b.run_id, b.audit_seq, b.audit_head FROM branch b
        WHERE b.id > :after::uuid AND b.id <= :upto::uuid ORDER BY b.id LIMIT :size)
    SELECT p.id, p.audit_seq, e.hash IS NOT DISTINCT FROM p.audit_head, e.run IS NOT DISTINCT FROM p.run_id
    FROM page p LEFT JOIN audit_event e ON e.chain = p.id AND e.seq = p.audit_seq ORDER BY p.id
    """
)


def cut_chains(chain: uuid.UUID | None = None) -> Iterator[tuple[uuid.UUID, int, str]]:
    """Yield (chain, number of the last link it should have, why) where the branch knows another last link or run."""
    after, upto = (FIRST, LAST) if chain is None else (chain.int - 1, chain.int)
    while page := _ENDS.rows({"after": uuid.UUID(int=after), "upto": uuid.UUID(int=upto), "size": PAGE}):
        for found, seq, fits, belongs in page:
            if not fits:
                yield found, seq, "it is not the last link that the run wrote"
            elif not belongs:
                yield found, seq, "it is not of the run that its branch belongs to"
        signs.give()
        after = page[-1][0].int
