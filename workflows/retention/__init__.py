"""Finished runs are exported and deleted when their definition's time is over; what has no more use goes as well.

A batch is one transaction: runs are locked (`picking`), written to a file that is on disk (`archive`, `lines`),
deleted with all their rows (`removal`) and audited. A crash in between leaves a file too many, never a run too few.
"""

from workflows.retention.deleting import RunsKept, delete_due, delete_round
from workflows.retention.leftovers import tidy
from workflows.retention.policy import Due, due

__all__ = ["Due", "RunsKept", "delete_due", "delete_round", "due", "tidy"]
