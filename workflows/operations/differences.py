"""Say where two JSON values differ: pointers only, because the values may be sensitive; never more than a few."""

from typing import Any

LIMIT = 10


def differences(before: Any, after: Any) -> list[str]:
    """Return one sentence for each place where the values differ; values of objects and lists are compared inside."""
    found: list[str] = []
    _compare("", before, after, found)
    if len(found) > LIMIT:
        return [*found[:LIMIT], f"and {len(found) - LIMIT} more"]
    return found


def _compare(pointer: str, before: Any, after: Any, found: list[str]) -> None:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            _compare_member(f"{pointer}/{key}", key, before, after, found)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            _compare(f"{pointer}/{index}", old, new, found)
    elif type(before) is not type(after) or before != after:
        found.append(f"{pointer or '/'} differs")


def _compare_member(pointer: str, key: str, before: dict[str, Any], after: dict[str, Any], found: list[str]) -> None:
    if key not in after:
        found.append(f"{pointer} is missing now")
    elif key not in before:
        found.append(f"{pointer} is new")
    else:
        _compare(pointer, before[key], after[key], found)
