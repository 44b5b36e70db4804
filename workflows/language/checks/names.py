"""Names that a document gives to variables of blocks: loops, events, caught errors."""

import re
from collections.abc import Mapping
from typing import Any

from workflows.language.checks.report import Report, at

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
TAKEN = frozenset(
    {"authorization", "context", "input", "output", "runtime", "secrets", "task", "workflow", "ENV", "__loc__"}
    | {"__prog_args"}
)


def check_variables(report: Report, given: Any, pointer: str, defaults: Mapping[str, str]) -> frozenset[str]:
    """Check the names that a block gives under these keys (key -> name if absent), and return those that are right."""
    names: list[str] = []
    for key, default in defaults.items():
        name = given.get(key, default) if isinstance(given, dict) else default
        place = at(pointer, key)
        if not isinstance(name, str) or not VARIABLE.fullmatch(name):
            expected = "a letter or _, then letters, digits and _; without $"
            report.add(place, "this cannot name a variable", found=name, expected=expected)
        elif name in TAKEN:
            report.add(place, f"`${name}` means something else already", suggestion="Choose another name.")
        elif name in names:
            report.add(place, f"`${name}` is the other variable of this block", suggestion="Choose another name.")
        else:
            names.append(name)
    return frozenset(names)


def variables_of(given: Any, defaults: Mapping[str, str]) -> frozenset[str]:
    """Return the names that a block gives to what is inside it, right or wrong."""
    names = (given.get(key, name) if isinstance(given, dict) else name for key, name in defaults.items())
    return frozenset(name for name in names if isinstance(name, str) and VARIABLE.fullmatch(name))
