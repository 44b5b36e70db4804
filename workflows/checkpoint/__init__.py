"""The one statement that records progress, and what it writes."""

from workflows.checkpoint.progress import (
    UNCHANGED,
    AttemptWrite,
    BranchWrite,
    Closed,
    NextStep,
    Progress,
    RunWrite,
    StepWrite,
    Subscribe,
    UndoWrite,
)
from workflows.checkpoint.statement import Written, held_after, write

__all__ = [
    "UNCHANGED",
    "AttemptWrite",
    "BranchWrite",
    "Closed",
    "NextStep",
    "Progress",
    "RunWrite",
    "StepWrite",
    "Subscribe",
    "UndoWrite",
    "Written",
    "held_after",
    "write",
]
