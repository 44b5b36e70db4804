"""The one statement that records progress, and what it writes."""

from workflows.checkpoint.many import Item, WrittenMany, fits, joined, write_many
from workflows.checkpoint.progress import (
    UNCHANGED,
    AttemptWrite,
    BranchWrite,
    Closed,
    Ended,
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
    "Ended",
    "Item",
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
    "joined",
    "write",
    "write_many",
]
