"""What a workflow is locked to: the versions of the functions and workflows that it uses, with their pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.views.graph import address_of

CHILD, UNDO = "workflow:", "undo:"


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """Something that a workflow uses. `role` is "calls", "undo" or "workflow"; without a page it is built in."""

    role: str
    name: str
    version: str
    address: str


def of(lock: Mapping[str, Any]) -> list[Use]:
    """Return what a lock names, each once."""
    found = set()
    for key, value in lock.items():
        if key.startswith(CHILD):
            name = key.removeprefix(CHILD).partition("/")[2].rpartition(":")[0]
            found.add(_use("workflow", name, str(value)))
        elif isinstance(value, Mapping):
            found.add(_use("undo", str(value.get("function", "")), str(value.get("version", ""))))
        else:
            name, _, version = str(value).rpartition(":")
            found.add(_use("calls", name, version))
    return sorted(found)


def _use(role: str, name: str, version: str) -> Use:
    return Use(role, name, version, address_of(f"{name}:{version}", "run" if role == "workflow" else "call"))
