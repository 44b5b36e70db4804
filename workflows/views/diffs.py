"""What is different between two JSON values, line by line; values that are masked stay masked."""

import difflib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

CONTEXT = 2
MOST_LINES = 1_000
MOST_PAIRS = 100_000  # beyond, lines that repeat make a comparison take seconds


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a difference. `kind` is "same", "removed", "added", or "skipped" for so many that are the same."""

    kind: str
    old: int | None
    new: int | None
    text: str
    skipped: int = 0


def lines(old: Any, new: Any) -> list[Line] | None:
    """Return the difference of two values with a little of what is around it; None when they are too large for that."""
    return of_texts(_text(old), _text(new))


def of_texts(before: list[str], after: list[str]) -> list[Line] | None:
    """Return the difference of two texts, given as lines; None when that would take too long."""
    if len(before) > MOST_LINES or len(after) > MOST_LINES:
        return None
    if before == after:
        return []
    head, tail = _alike(before, after)
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    if _pairs(old, new) > MOST_PAIRS:
        return None
    near = min(head, CONTEXT)
    found = [*_skipped(head - near), *_same(before, head - near, head - near, near)]
    told = head
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT):
        found += _skipped(head + group[0][1] - told)
        told = head + group[-1][2]
        for tag, *span in group:
            found += _changed(tag, before, after, *(head + place for place in span))
    near = min(tail, CONTEXT)
    return [*found, *_same(before, len(before) - tail, len(after) - tail, near), *_skipped(tail - near)]


def _alike(before: list[str], after: list[str]) -> tuple[int, int]:
    """Return how many lines at the beginning and at the end are the same."""
    most = min(len(before), len(after))
    head = next((n for n in range(most) if before[n] != after[n]), most)
    tail = next((n for n in range(most - head) if before[-1 - n] != after[-1 - n]), most - head)
    return head, tail


def _pairs(old: list[str], new: list[str]) -> int:
    """Return how many lines of one text are the same as how many of the other: what a comparison has to look at."""
    counts = Counter(new)
    return sum(count * counts[line] for line, count in Counter(old).items())


def _changed(tag: str, before: list[str], after: list[str], i1: int, i2: int, j1: int, j2: int) -> list[Line]:
    if tag == "equal":
        return _same(before, i1, j1, i2 - i1)
    removed = [Line("removed", n + 1, None, before[n]) for n in range(i1, i2)]
    return [*removed, *(Line("added", None, n + 1, after[n]) for n in range(j1, j2))]


def _same(before: list[str], old: int, new: int, count: int) -> list[Line]:
    return [Line("same", old + n + 1, new + n + 1, before[old + n]) for n in range(count)]


def _skipped(count: int) -> list[Line]:
    return [Line("skipped", None, None, "", count)] if count > 0 else []


def _text(value: Any) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).splitlines()
