"""The one statement that records progress, and what it writes."""

from workflows.checkpoint.many import WrittenMany, fits, write_many
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
from workflows.checkpoint.statement import Taking, Written, held_after, write
from workflows.checkpoint.values import CursorTooLarge

__all__ = [
    "UNCHANGED",
    "AttemptWrite",
    "BranchWrite",
    "Closed",
    "CursorTooLarge",
    "NextStep",
    "Progress",
    "RunWrite",
    "StepWrite",
    "Subscribe",
    "Taking",
    "UndoWrite",
    "Written",
    "WrittenMany",
    "fits",
    "held_after",
    "write",
    "write_many",
]
