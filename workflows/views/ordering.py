"""In which order the timeline shows the steps of a run: the branches of a fork together, a deadline below its task."""

import re
from collections.abc import Sequence
from typing import Any

_BRANCH = re.compile(r"/fork/branches/(\d+)/")


def ordered(steps: Sequence[Any]) -> list[Any]:
    """Return steps, given in the order in which they began, as the timeline shows them."""
    first = _beginnings(steps)
    places = {id(step): _place(step.key, at, first) for at, step in enumerate(steps)}
    rows = sorted((step for step in steps if step.kind != "timer"), key=lambda step: places[id(step)])
    inner_first = sorted((step for step in steps if step.kind == "timer"), key=lambda step: -len(step.key))
    for timer in inner_first:
        rows.insert(_behind(timer.key, rows), timer)
    return rows


def limited(key: str) -> str:
    """Return the key of what a deadline limits, empty for the whole workflow."""
    return key.rpartition("#")[0]


def _beginnings(steps: Sequence[Any]) -> dict[str, int]:
    """Return at which position each fork has its first step, by the fork's key; its own step counts too."""
    first: dict[str, int] = {}
    for at, step in enumerate(steps):
        forks = [step.key[: found.start()] for found in _BRANCH.finditer(step.key)]
        for fork in [*forks, step.key]:
            first.setdefault(fork, at)
    return first


def _place(key: str, at: int, first: dict[str, int]) -> tuple[int, ...]:
    """Return where a step belongs: fork by fork from the outside, its branch there, and when it began."""
    inside = [part for found in _BRANCH.finditer(key) for part in (first[key[: found.start()]], int(found[1]))]
    return (*inside, min(first.get(key, at), at), -1)


def _behind(key: str, rows: Sequence[Any]) -> int:
    """Return the position behind all that a deadline limits; what has not begun yet comes later."""
    task = limited(key)
    inside = (f"{task}/", f"{task}@", f"{task}#")
    found = [at for at, row in enumerate(rows) if row.key == task or row.key.startswith(inside)]
    return found[-1] + 1 if found and task else len(rows)
