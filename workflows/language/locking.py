"""Which version of which function a `call` means; the answer is fixed at publish and kept with the document.

`call: name:1.2.0@default` names a version of the runtime's own catalog; `name:1.2.0` means the same. The short form
`name` means the newest version published at the moment of publishing. A range is not accepted: it would be a short form
that looks like a promise.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.language.catalog import Catalog, find

DSL = "1.0.3"
CALL = re.compile(r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::(?P<version>[^@]+))?(?:@(?P<catalog>.*))?")
VERSION = re.compile(r"(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class FunctionName:
    """A `call` taken apart; what is not written is None."""

    name: str
    version: str | None
    catalog: str | None


def parse_call(text: str) -> FunctionName | None:
    """Return the parts of a `call`, or None if it does not have the form of one."""
    found = CALL.fullmatch(text)
    return FunctionName(found["name"], found["version"], found["catalog"]) if found else None


def lock_functions(document: Mapping[str, Any], catalog: Catalog) -> dict[str, str]:
    """Return the lock of a valid document: the text of each `call` -> `name:version`. Raises LookupError."""
    return {text: _pin(text, catalog) for text in sorted(set(_calls(document["do"])))}


def stored(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document as it is kept: with the version of the language that it is read by (R1)."""
    return {**document, "document": {**document["document"], "dsl": DSL}}


def _pin(text: str, catalog: Catalog) -> str:
    call = parse_call(text)
    info = find(catalog, call.name) if call else None
    if call is None or info is None or not info.versions:
        raise LookupError(f"`{text}` is not a published function; validate the document first")
    return f"{call.name}:{call.version or info.versions[0]}"


def _calls(node: Any) -> Iterator[str]:
    """Yield the text of each call in a task list; `with` is data and is not searched."""
    for item in node:
        for task in item.values():
            if "call" in task:
                yield task["call"]
            yield from _calls(task.get("do", ()))
