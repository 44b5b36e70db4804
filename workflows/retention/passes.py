"""What a process remembers of its passes over the runs of each definition, so that it does not read them for ever.

Runs that have to stay, such as those with a child that is kept longer, stand before those that come next. A pass goes
on behind what it has looked at; only once an hour, or when a policy has changed, it starts again from the oldest run.
"""

import time
import uuid
from dataclasses import dataclass, field

from workflows.retention.picking import START, Place

AGAIN_SECONDS = 3_600.0
MOST_NAMED = 10


@dataclass(slots=True)
class Pass:
    """How far a pass over one definition is, which runs it could not delete, and whether it has seen the last one."""

    place: Place = START
    ended: bool = False
    refused: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)


class Passes:
    """The passes over all definitions; those of one policy."""

    def __init__(self) -> None:
        self._policy = ""
        self._found: dict[uuid.UUID, Pass] = {}

    def follow(self, policy: str) -> None:
        """Start all passes again if runs are kept for other times than before."""
        if policy != self._policy:
            self._policy, self._found = policy, {}

    def of(self, definition: uuid.UUID) -> Pass:
        """Return the pass over a definition, another one if the last has ended and began long ago."""
        found = self._found.get(definition)
        if found is None or (found.ended and time.monotonic() - found.began > AGAIN_SECONDS):
            found = self._found[definition] = Pass()
        return found

    def refused(self) -> str:
        """Return which runs could not be deleted, and why."""
        named = [text for found in self._found.values() for text in found.refused]
        more = [f"and {len(named) - MOST_NAMED} more"] if len(named) > MOST_NAMED else []
        return "; ".join([*named[:MOST_NAMED], *more])
