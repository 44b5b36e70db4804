"""What an edited value changes against another one: a line for each place, without anything that is masked."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from actions.sensitive import MASK, mask

MOST_LINES = 100
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Change:
    """A line: `added` or removed, where, and the value in short."""

    added: bool
    path: str
    value: str


def changes(schema: Any, old: Any, new: Any) -> list[Change]:
    """Return what is different in `new`; `old` is masked, and a mask in `new` means that its value stays."""
    before, given = dict(_leaves(old, "")), dict(_leaves(new, ""))
    after = dict(_leaves(mask(schema, new), ""))
    found: list[Change] = []
    for path in [*before, *(path for path in after if path not in before)]:
        found += _change(path, before.get(path), after.get(path), typed=given.get(path) not in (_json(MASK), None))
        if len(found) >= MOST_LINES:
            break
    return found


def _change(path: str, old: Any, new: Any, *, typed: bool) -> list[Change]:
    if _json(MASK) in (old, new):
        return [Change(True, path, _("typed anew, not shown"))] if typed and new == _json(MASK) else []
    if old == new:
        return []
    removed = [Change(False, path, old)] if old is not None else []
    return [*removed, Change(True, path, new)] if new is not None else removed


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for index, part in enumerate(value):
            yield from _leaves(part, f"{path}[{index}]")
    elif path:
        yield path, _json(value)


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
