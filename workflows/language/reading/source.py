"""What the readers get."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.language.tasks import TaskList


@dataclass(frozen=True, slots=True)
class Source:
    """What is the same for all tasks of a document."""

    namespace: str
    use: Mapping[str, Any]
    lock: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """One task as written, its pointer, and the fields that all tasks have, ready; `read_list` reads a list inside."""

    definition: Mapping[str, Any]
    ref: str
    common: Mapping[str, Any]
    source: Source
    read_list: Callable[[Any, str, Source], TaskList]

    def tasks(self, items: Any, place: str) -> TaskList:
        """Read the task list at `place` below the task."""
        return self.read_list(items, f"{self.ref}/{place}", self.source)
