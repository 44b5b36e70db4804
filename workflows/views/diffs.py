"""What is different between two JSON values, line by line; values that are masked stay masked."""

import difflib
import json
from dataclasses import dataclass
from typing import Any

CONTEXT = 2
MOST_LINES = 1_000


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
    """Return the difference of two texts, given as lines; None when they are too long for that."""
    if len(before) > MOST_LINES or len(after) > MOST_LINES:
        return None
    found: list[Line] = []
    told = 0
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT):
        found += _skipped(group[0][1] - told)
        told = group[-1][2]
        for tag, *span in group:
            found += _changed(tag, before, after, *span)
    return [*found, *_skipped(len(before) - told)] if found else []


def _changed(tag: str, before: list[str], after: list[str], i1: int, i2: int, j1: int, j2: int) -> list[Line]:
    if tag == "equal":
        return [Line("same", i1 + n + 1, j1 + n + 1, before[i1 + n]) for n in range(i2 - i1)]
    removed = [Line("removed", n + 1, None, before[n]) for n in range(i1, i2)]
    return [*removed, *(Line("added", None, n + 1, after[n]) for n in range(j1, j2))]


def _skipped(count: int) -> list[Line]:
    return [Line("skipped", None, None, "", count)] if count > 0 else []


def _text(value: Any) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).splitlines()
