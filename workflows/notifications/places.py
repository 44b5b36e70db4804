"""How far a process has come on its walks through tables that it reads a page at a time, a page or more each round."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key")


@dataclass(slots=True)
class Place(Generic[Key]):
    """The key behind which a walk goes on: the first one again once the last page was read."""

    first: Key
    now: Key

    @classmethod
    def at(cls, first: Key) -> "Place[Key]":
        """Begin a walk."""
        return cls(first, first)

    def passed(self, keys: Sequence[Key], limit: int) -> bool:
        """Note the keys of a page of at most so many; tell whether others may follow."""
        more = len(keys) == limit
        self.now = keys[-1] if more else self.first
        return more
