"""Durations in slots: four to each doubling, so that a percentile is right to about a tenth, however long things take.

Slot 0 begins at 1 ms, slot 4 at 2 ms, slot 40 at a second, slot 127 holds all that took longer than 41 days.
"""

import math
from collections.abc import Sequence

PER_OCTAVE = 4
COUNT = 128


def slot(milliseconds: float) -> int:
    """Return the slot of a duration."""
    return min(COUNT - 1, max(0, math.floor(PER_OCTAVE * math.log2(max(milliseconds, 1.0)))))


def slot_sql(milliseconds: str) -> str:
    """Return the same in SQL."""
    return f"least({COUNT - 1}, greatest(0, floor({PER_OCTAVE} * ln(greatest({milliseconds}, 1)) / ln(2))))::int"


def begins(number: float) -> float:
    """Return with how many milliseconds a slot begins, or a place within it."""
    return float(2.0 ** (number / PER_OCTAVE))


def place(milliseconds: float) -> float:
    """Return where a duration stands among the slots."""
    return PER_OCTAVE * math.log2(max(milliseconds, 1.0))


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Return the milliseconds that this share of what was counted did not exceed; None when nothing was counted."""
    total = sum(counts)
    if not total:
        return None
    wanted, below = total * share, 0
    for number, count in enumerate(counts):
        if count and below + count >= wanted:
            return begins(number + (wanted - below) / count)
        below += count
    return begins(len(counts))
