"""What stands in place of what is not shown, and back: a value that people edit comes back with those stand-ins.

A sensitive field is shown as •••, a secret of a connection as «secret shop.token». Wherever a value comes back as it
was shown, what is stored stays as it is; a stand-in anywhere else is a mistake, never a value.
"""

import re
from collections.abc import Iterator
from typing import Any

from actions.markers import BEGIN, shorten
from actions.problems import Problem, pointer
from actions.sensitive import MASK, mask
from dotdo_site.lib import canonical

ABSENT: Any = object()
STANDS_FOR_A_SECRET = re.compile(r"«secret [^»]*»")
Path = tuple[str | int, ...]


def shown(schema: Any, value: Any) -> Any:
    """Return a stored value as people see it."""
    return mask(schema, shorten(value))


def restored(schema: Any, given: Any, stored: Any) -> tuple[Any, list[Problem]]:
    """Return what is meant by a value that was edited as `shown`, and where a stand-in stands for nothing.

    With problems, nothing is put back.
    """
    problems: list[Problem] = []
    found = _restored(given, shown(schema, stored), stored, (), problems)
    problems = problems or list(_uncovered(given, shown(schema, found), ()))
    return (given if problems else found), problems


def compared(schema: Any, old: Any, new: Any, given: Any) -> tuple[Any, Any]:
    """Return both values as people see them; `given` is the new one as it was typed.

    Whatever was typed in the place of a stand-in says that it changed: that it is the same would confirm a guess.
    """
    before, after = shown(schema, old), shown(schema, new)
    return before, _marked(before, after, given)


def holds(value: Any) -> bool:
    """Tell whether a value that was edited as `shown` holds a mask, so that something sensitive is kept."""
    return any(text == MASK for text in _texts(value))


def is_hidden(value: Any) -> bool:
    """Tell whether a text is, or contains, what stands for something that is not shown."""
    return isinstance(value, str) and (value == MASK or STANDS_FOR_A_SECRET.search(value) is not None)


def visible_problems(problems: list[Problem], value: Any) -> list[Problem]:
    """Leave out what a schema says of a secret's stand-in: only the secret itself, put in at the end, has to fit."""
    return [problem for problem in problems if not _stands_in(problem, value)]


def _restored(given: Any, seen: Any, stored: Any, path: Path, problems: list[Problem]) -> Any:
    if seen is not ABSENT and _same(given, seen):
        return stored
    if isinstance(given, dict):
        looks, values = (seen, stored) if isinstance(seen, dict) else ({}, {})
        return {
            key: _restored(part, looks.get(key, ABSENT), values.get(key), (*path, key), problems)
            for key, part in given.items()
        }
    if isinstance(given, list):
        listed = isinstance(seen, list)
        return _items(given, seen if listed else [], stored if listed else [], path, problems)
    if is_hidden(given):
        problems.append(_stray(path))
    return given


def _uncovered(given: Any, seen: Any, path: Path) -> Iterator[Problem]:
    """Yield where a stand-in came to stand for something that would be shown there."""
    if is_hidden(given):
        if not _same(given, seen):
            yield _stray(path)
    elif isinstance(given, dict) and isinstance(seen, dict):
        for key, part in given.items():
            yield from _uncovered(part, seen[key], (*path, key))
    elif isinstance(given, list) and isinstance(seen, list):
        for index, part in enumerate(given):
            yield from _uncovered(part, seen[index], (*path, index))


def _stray(path: Path) -> Problem:
    return Problem(pointer(path), "hidden", "stands for a value that is not shown here: type it anew")


def _items(given: list[Any], seen: list[Any], stored: list[Any], path: Path, problems: list[Problem]) -> list[Any]:
    """Restore the items of a list: by what they look like, wherever they stand now, otherwise by their place.

    Of items that look alike, and hide something, nobody knows which is which once they are not where they were; that
    they hide the same is not told.
    """
    before, now = _places(seen), _places(given)
    one_value = {look: len(places) == 1 or not holds(seen[places[0]]) for look, places in before.items()}
    found = []
    for index, item in enumerate(given):
        look = canonical.dumps(item)
        if one_value.get(look):
            found.append(stored[before[look][0]])
        elif look in before and before[look] == now[look]:
            found.append(stored[index])
        else:
            here = look not in before and len(given) == len(seen) and canonical.dumps(seen[index]) not in now
            look_before, value = (seen[index], stored[index]) if here else (ABSENT, None)
            found.append(_restored(item, look_before, value, (*path, index), problems))
    return found


def _places(items: list[Any]) -> dict[str, list[int]]:
    """Return where items of each look stand."""
    found: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        found.setdefault(canonical.dumps(item), []).append(place)
    return found


def _marked(before: Any, after: Any, given: Any) -> Any:
    if is_hidden(after):
        return after if is_hidden(given) or not is_hidden(before) else f"{after} (changed)"
    if isinstance(after, dict):
        looks = before if isinstance(before, dict) else {}
        return {key: _marked(looks.get(key), part, given[key]) for key, part in after.items()}
    if isinstance(after, list) and isinstance(before, list) and len(after) == len(before):
        return [_marked(*parts) for parts in zip(before, after, given, strict=True)]
    return after


def _stands_in(problem: Problem, value: Any) -> bool:
    if not problem.pointer:
        return False
    for part in problem.pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return False
    return any(BEGIN in text for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _same(one: Any, other: Any) -> bool:
    return canonical.dumps(one) == canonical.dumps(other)
