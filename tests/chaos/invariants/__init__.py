"""What must be true afterwards, whatever went wrong meanwhile: one small function for each sentence.

Each takes the evidence and yields a line for every violation; its name is what the report calls it.
"""

from collections.abc import Callable, Iterator

from tests.chaos.evidence import Evidence
from tests.chaos.invariants import effects, notices, runs, starts, trail, waits

Invariant = Callable[[Evidence], Iterator[str]]
INVARIANTS: tuple[Invariant, ...] = (
    *starts.INVARIANTS,
    *runs.INVARIANTS,
    *effects.INVARIANTS,
    *waits.INVARIANTS,
    *trail.INVARIANTS,
    *notices.INVARIANTS,
)


def violations(evidence: Evidence) -> dict[str, list[str]]:
    """Return what each broken invariant found, by name."""
    found = {name(invariant): list(invariant(evidence)) for invariant in INVARIANTS}
    return {title: lines for title, lines in found.items() if lines}


def name(invariant: Invariant) -> str:
    """Return what people call an invariant."""
    return invariant.__name__.replace("_", " ")
