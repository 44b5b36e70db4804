"""What the in-memory driver of the engine keeps: runs, their branches, open forks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workflows.engine import messages as m
from workflows.language.program import Program


@dataclass
class Line:
    """A branch: its cursor, what it rests in, and the fork that it belongs to."""

    run: "PureRun"
    fork: "Fork | None" = None
    index: int = 0
    cursor: dict[str, Any] = field(default_factory=dict)
    waits: dict[str, object] = field(default_factory=dict)
    listen: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    inner: "Fork | None" = None
    open: bool = True

    @property
    def listening(self) -> bool:
        """Tell whether the listen is still there, resting or with the body of an event under way."""
        frames = self.cursor.get("frames", ())
        return self.open and any(frame.get("key") == self.listen and "pins" in frame for frame in frames)


@dataclass
class Fork:
    """The branches of an open fork and what became of them."""

    parent: Line
    command: m.OpenFork
    lines: list[Line] = field(default_factory=list)
    outputs: dict[int, Any] = field(default_factory=dict)
    faults: int = 0


@dataclass
class PureRun:
    """A run, as far as a driver has to know it."""

    id: str
    program: Program
    input: Any
    context: Any = field(default_factory=dict)
    state: str = "running"
    output: Any = None
    error: dict[str, Any] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    mailbox: list[dict[str, Any]] = field(default_factory=list)
    undo: list[m.PushUndo] = field(default_factory=list)
    undone: list[tuple[str, Any]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    ended: Callable[["PureRun"], None] = lambda _: None

    @property
    def resting(self) -> str:
        """Return what an unfinished run waits for."""
        kinds = ["event" if line.listening else "timer" for line in self.lines if line.open and line.waits]
        return kinds[0] if kinds else ""
