"""What a `call` names: `http` and `openapi`, a function under `use`, or one of the catalog."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The calls of the language itself that are carried out here, with the version that runs record.
PROTOCOLS: Mapping[str, str] = {"http": "1.0.0", "openapi": "1.0.0"}
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Merged:
    """A call task with the function of `use.functions` that it names put below it (R34)."""

    text: str
    arguments: Any
    task: Mapping[str, Any]


def merged(task: Mapping[str, Any], use: Mapping[str, Any]) -> Merged:
    """Return a call as if it had been written without `use.functions`: the caller's keys count, in `with` one by one.

    A function is found once: its own `call` means the catalog.
    """
    text, arguments = task["call"], task.get("with", {})
    function = use.get("functions", {}).get(text)
    if function is None:
        return Merged(text, arguments, task)
    arguments = {**function.get("with", {}), **arguments}
    return Merged(function["call"], arguments, {**function, **task, "call": function["call"], "with": arguments})


def workflow_key(child: Mapping[str, Any], namespace: str) -> str:
    """Return the key of the lock that holds the exact version of a child workflow."""
    version = child.get("version", LATEST)
    return f"workflow:{child.get('namespace', namespace)}/{child.get('name')}:{version}"
