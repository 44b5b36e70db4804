"""Where the checks write what they find, and what they share."""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflows.language.catalog import Catalog, CheckCron, CheckSchema, CompileExpression
from workflows.language.templates import escape

MAX_PROBLEMS = 200
LONGEST_SHOWN = 60
NOT_SHOWN: Any = object()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that keeps a document from being published, at a JSON pointer."""

    pointer: str
    message: str
    found: str = ""
    expected: str = ""
    suggestion: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the problem as JSON; empty parts are left out."""
        parts = ("pointer", "message", "found", "expected", "suggestion")
        return {part: getattr(self, part) for part in parts if part == "pointer" or getattr(self, part)}

    def __str__(self) -> str:
        text = f"{self.pointer or '/'}: {self.message}"
        if self.found:
            text += f"; found {self.found}"
        if self.expected:
            text += f"; expected {self.expected}"
        return f"{text}. {self.suggestion}" if self.suggestion else text


@dataclass(slots=True)
class Report:
    """Collects problems, and carries the document and the injected tools to the checks."""

    document: Mapping[str, Any]
    catalog: Catalog
    compile_expression: CompileExpression
    check_schema: CheckSchema
    check_cron: CheckCron
    problems: list[Problem] = field(default_factory=list)
    tasks: int = 0

    def part(self, key: str) -> Mapping[str, Any]:
        """Return an object at the top of the document; empty if it is none."""
        return _object(self.document.get(key))

    def used(self, key: str) -> Mapping[str, Any]:
        """Return what the document defines in this part of `use`; empty if that is no object."""
        return _object(self.part("use").get(key))

    def add(
        self, pointer: str, message: str, *, found: Any = NOT_SHOWN, expected: str = "", suggestion: str = ""
    ) -> None:
        """Note a problem. `found` is shown shortened."""
        shown = "" if found is NOT_SHOWN else show(found)
        self.take(Problem(pointer, message, shown, expected, suggestion))

    @property
    def full(self) -> bool:
        """Tell whether there are so many problems that nothing is added any more."""
        return len(self.problems) >= MAX_PROBLEMS

    def take(self, problem: Problem) -> None:
        """Note a problem, unless there are many already."""
        if not self.full:
            self.problems.append(problem)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def show(value: Any) -> str:
    """Return the value as short JSON text."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def nearest(word: str, words: Iterable[str]) -> str:
    """Return "Did you mean `…`?" for the nearest of `words`, or an empty text."""
    found = _nearest_word(word, words)
    return f"Did you mean `{found}`?" if found else ""


def _nearest_word(word: str, words: Iterable[str]) -> str:
    if len(word) > LONGEST_SHOWN:  # comparing takes quadratic time
        return ""
    return next(iter(difflib.get_close_matches(word, list(words), 1)), "")


def at(pointer: str, key: str | int) -> str:
    """Return the pointer of a member."""
    return f"{pointer}/{escape(str(key))}"


def check_object(
    report: Report,
    value: Any,
    pointer: str,
    allowed: Iterable[str],
    *,
    required: Iterable[str] = (),
    not_yet: Mapping[str, str] | None = None,
) -> bool:
    """Check the keys of an object and tell whether it is one. `not_yet`: refused keys with what to do instead."""
    if not isinstance(value, dict):
        report.add(pointer, "this must be an object", found=value, expected=_listed(allowed))
        return False
    known = list(allowed)
    misspelt = {_refuse_key(report, pointer, key, known, not_yet or {}) for key in value if key not in known}
    for key in required:
        if key not in value and key not in misspelt:
            report.add(pointer, f"`{key}` is missing")
    return True


def check_choice(
    report: Report, value: Any, pointer: str, choices: Iterable[str], refused: Mapping[str, str] | None = None
) -> bool:
    """Check that a value is one of some words."""
    known = list(choices)
    if isinstance(value, str) and value in known:
        return True
    if isinstance(value, str) and value in (refused or {}):
        report.add(pointer, f"`{value}` is not supported", suggestion=(refused or {})[value])
        return False
    hint = nearest(value, known) if isinstance(value, str) else ""
    report.add(pointer, "this is not one of the known words", found=value, expected=" or ".join(known), suggestion=hint)
    return False


def check_one_of(
    report: Report,
    value: Any,
    pointer: str,
    ways: Iterable[str],
    *,
    beside: Iterable[str] = (),
    not_yet: Mapping[str, str] | None = None,
) -> str | None:
    """Check an object that says exactly one of some things, and return which. `beside`: keys that may be there too."""
    known = list(ways)
    if not check_object(report, value, pointer, [*known, *beside], not_yet=not_yet):
        return None
    given = [key for key in known if key in value]
    if len(given) == 1:
        return given[0]
    if given or all(key in beside for key in value):
        report.add(pointer, "this needs exactly one of " + ", ".join(f"`{key}`" for key in known))
    return None


def check_boolean(report: Report, parent: Mapping[str, Any], key: str, pointer: str) -> None:
    """Check that what stands under `key`, if anything does, is true or false."""
    if not isinstance(parent.get(key, False), bool):
        report.add(at(pointer, key), f"`{key}` must be true or false", found=parent[key])


def check_text(report: Report, parent: Mapping[str, Any], key: str, pointer: str) -> str | None:
    """Return the text under `key`, if it is there and is a text that is not empty."""
    value = parent.get(key)
    if isinstance(value, str) and value.strip():
        return value
    if key in parent:
        report.add(at(pointer, key), f"`{key}` must be a text that is not empty", found=value)
    return None


def _refuse_key(report: Report, pointer: str, key: str, allowed: list[str], not_yet: Mapping[str, str]) -> str:
    """Report a key that may not be there, and return the one that was probably meant."""
    if key in not_yet:
        report.add(at(pointer, key), f"`{key}` is not supported", suggestion=not_yet[key])
        return ""
    meant = _nearest_word(key, [*allowed, *not_yet])
    hint = f"Did you mean `{meant}`?" if meant else f"Known here: {_listed(allowed)}."
    report.add(at(pointer, key), f"`{key[:LONGEST_SHOWN]}` is not a key of this object", suggestion=hint)
    return meant


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
