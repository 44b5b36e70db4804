"""What a process remembers of its passes over the runs of each definition, so that it does not read them for ever.

Runs that have to stay, such as those with a child that is kept longer, stand before those that come next. A pass goes
on behind what it has looked at; only once an hour, or when a policy has changed, it starts again from the oldest run.
"""

import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field

from workflows.retention.picking import START, Place
from workflows.retention.policy import OVER
from workflows.sql import Statement

AGAIN_SECONDS = 3_600.0
MOST_NAMED = 10
_THERE = Statement(f"SELECT r.id FROM run r WHERE r.id = ANY(:runs::uuid[]) AND {OVER}")  # noqa: S608 - constants


@dataclass(slots=True)
class Pass:
    """How far a pass over one definition is, which runs it could not delete, and whether it has seen the last one."""

    place: Place = START
    ended: bool = False
    refused: dict[uuid.UUID, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)


class Passes:
    """The passes over all definitions; those of one policy."""

    def __init__(self) -> None:
        self._policy = ""
        self._found: dict[uuid.UUID, Pass] = {}

    def follow(self, policy: str, definitions: Collection[uuid.UUID]) -> None:
        """Forget the passes over what has nothing due any more; all, if runs are kept for other times than before."""
        known = self._found if policy == self._policy else {}
        self._policy, self._found = policy, {pk: found for pk, found in known.items() if pk in definitions}

    def of(self, definition: uuid.UUID) -> Pass:
        """Return the pass over a definition, another one if the last has ended and began long ago."""
        found = self._found.get(definition)
        if found is None or (found.ended and time.monotonic() - found.began > AGAIN_SECONDS):
            found = self._found[definition] = Pass()
        return found

    def refused(self) -> str:
        """Return which runs could not be deleted, and why; what is gone by now, or goes on after all, is none."""
        texts = {run: text for found in self._found.values() for run, text in found.refused.items()}
        there = {row[0] for row in _THERE.rows({"runs": list(texts)})} if texts else set()
        named = [text for run, text in texts.items() if run in there]
        more = [f"and {len(named) - MOST_NAMED} more"] if len(named) > MOST_NAMED else []
        return "; ".join([*named[:MOST_NAMED], *more])
