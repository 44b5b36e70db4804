"""Which key of a task says what kind of task it is."""

from collections.abc import Mapping
from typing import Any

# `for` and `try` come first: a `for` task also contains `do`.
KINDS = ("for", "try", "call", "do", "emit", "fork", "listen", "raise", "run", "set", "switch", "wait")
SUPPORTED = ("call", "do", "raise", "set", "switch", "wait")


def kind_of(definition: Mapping[str, Any]) -> str | None:
    """Return the kind of a task, supported or not, or None if no key of it names one."""
    return next((kind for kind in KINDS if kind in definition), None)
