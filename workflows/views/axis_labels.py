"""Which labels of a time axis have room: texts never overlap, neither on a wide axis nor on that of a phone."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

WIDE, NARROW = 480, 250  # pixels; app.css hides what needs `more` room on an axis that is not WIDE
CHARACTER, GAP = 6.0, 10.0
NEAR = 16  # per cent: a text that close to an end begins or ends with its mark, so that it stays inside


@dataclass(frozen=True)
class Mark:
    """A moment or a folded span on the axis; places in per cent. `room`: "always", "more", or "" for no text at all."""

    at: float
    text: str
    length: float = 0
    room: str = ""

    @property
    def x(self) -> str:
        """Return where it begins."""
        return f"{self.at:.2f}%"

    @property
    def width(self) -> str:
        """Return how long it is."""
        return f"{self.length:.2f}%"

    @property
    def anchor(self) -> str:
        """Return which part of the text stands at `label`."""
        middle = self.at + self.length / 2
        near_start, near_end = (NEAR, NEAR) if self.length else (1, 6)
        if middle < near_start:
            return "start"
        return "end" if middle > 100 - near_end else "middle"

    @property
    def label(self) -> str:
        """Return where the text stands."""
        return f"{self._label:.2f}%"

    def span(self, pixels: int) -> tuple[float, float]:
        """Return from where to where the text goes on an axis of so many pixels."""
        size = len(self.text) * CHARACTER
        left = self._label / 100 * pixels - {"start": 0, "middle": size / 2, "end": size}[self.anchor]
        return left, left + size

    @property
    def _label(self) -> float:
        return self.at + self.length * {"start": 0, "middle": 0.5, "end": 1}[self.anchor]


def labelled(folds: list[Mark], ticks: list[Mark]) -> tuple[list[Mark], list[Mark]]:
    """Return the marks with the room that they have: what is folded comes first."""
    order = [*folds, *ticks]
    narrow = _fitting(order, NARROW)
    wide = _fitting([*narrow, *order], WIDE)

    def roomy(mark: Mark) -> Mark:
        if mark in narrow:
            return replace(mark, room="always")
        return replace(mark, room="more") if mark in wide else mark

    return [roomy(mark) for mark in folds], [roomy(mark) for mark in ticks]


def _fitting(marks: Iterable[Mark], pixels: int) -> list[Mark]:
    """Return the marks whose texts have room beside those before them."""
    kept: list[Mark] = []
    for mark in marks:
        left, right = mark.span(pixels)
        spans = [other.span(pixels) for other in kept]
        if all(right + GAP <= start or end + GAP <= left for start, end in spans):
            kept.append(mark)
    return kept
