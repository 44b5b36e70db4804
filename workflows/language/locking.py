"""Which version of which function or workflow a document means; fixed at publish and kept with it as its lock.

`call: name:1.2.0@default` names a version of the runtime's own catalog; `name:1.2.0` means the same. The short form
`name` means the newest version published at the moment of publishing, and so does `latest` for a workflow. A range is
not accepted: it would be a short form that looks like a promise. The lock has three kinds of entries:

- the text of a call -> `name:version`;
- `undo:` and the text of a call whose action names an undo -> its function, version and the names of its input;
- `workflow:namespace/name:version as written` -> the exact version.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.language.catalog import Catalog, FunctionInfo, find
from workflows.language.functions import LATEST, PROTOCOLS, Merged, merged, workflow_key
from workflows.language.kinds import lists_of
from workflows.language.templates import is_constant

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


def lock_functions(document: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    """Return the lock of a valid document. Raises LookupError."""
    calls = sorted({call.text: call for call in _calls(document)}.items())
    lock: dict[str, Any] = {text: _pin(text, catalog) for text, _ in calls if text not in PROTOCOLS}
    lock |= {f"undo:{text}": undo for text in list(lock) if (undo := _pin_undo(lock[text], catalog))}
    about = document["document"]
    for child in _children(document):
        lock[workflow_key(child, about["namespace"])] = _pin_workflow(child, about, catalog)
    return lock


def stored(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document as it is kept: with the version of the language that it is read by (R1)."""
    return {**document, "document": {**document["document"], "dsl": DSL}}


def workflow_versions(child: Mapping[str, Any], about: Mapping[str, Any], catalog: Catalog) -> list[str]:
    """Return the published versions of a child workflow, newest first; one may always start itself."""
    namespace, name = child.get("namespace", about.get("namespace")), child["name"]
    own = about.get("version") if (namespace, name) == (about.get("namespace"), about.get("name")) else None
    return [*([own] if isinstance(own, str) else []), *catalog.workflow(namespace, name)]


def _pin(text: str, catalog: Catalog) -> str:
    call = parse_call(text)
    info = find(catalog, call.name) if call else None
    if call is None or info is None or not info.versions:
        raise LookupError(f"`{text}` is not a published function; validate the document first")
    return f"{call.name}:{call.version or info.versions[0]}"


def _pin_undo(pinned: str, catalog: Catalog) -> dict[str, Any] | None:
    name, _, version = pinned.rpartition(":")
    info = find(catalog, name)
    undo = info.undo(version) if info else ""
    if not undo:
        return None
    found: FunctionInfo | None = catalog.function(undo)
    if found is None or not found.versions:
        raise LookupError(f"`{undo}`, which undoes `{name}`, is not published; validate the document first")
    fields = sorted(found.input_schema(found.versions[0]).get("properties", {}))
    return {"function": undo, "version": found.versions[0], "fields": fields}


def _pin_workflow(child: Mapping[str, Any], about: Mapping[str, Any], catalog: Catalog) -> str:
    version, published = child.get("version", LATEST), workflow_versions(child, about, catalog)
    if version != LATEST and version in published:
        return str(version)
    if version != LATEST or not published:
        raise LookupError(f"`{child['name']}` is not a published workflow; validate the document first")
    return published[0]


def _calls(document: Mapping[str, Any]) -> Iterator[Merged]:
    """Yield each call of a document, also those that undo; `with` is data and is not searched."""
    use = document.get("use", {})
    for task in _tasks(document["do"]):
        if "call" in task:
            call = merged(task, use)
            yield call
            undo = call.task.get("metadata", {}).get("dotdo", {}).get("undo")
            if undo:
                yield merged(undo, use)


def _children(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what names a child workflow: in `run`, and in the arguments of `map` if it is written out."""
    for task in _tasks(document["do"]):
        if "run" in task:
            yield task["run"]["workflow"]
        elif "call" in task:
            yield from mapped_workflow(merged(task, document.get("use", {})))


def mapped_workflow(call: Merged) -> Iterator[Mapping[str, Any]]:
    """Yield the `workflow` of a call of `map`, if it is written out."""
    if not isinstance(call.arguments, Mapping) or call.text.partition(":")[0] != "map":
        return
    child = call.arguments.get("workflow")
    if isinstance(child, Mapping) and isinstance(child.get("name"), str) and is_constant(child):
        yield child


def _tasks(items: Any) -> Iterator[Mapping[str, Any]]:
    for item in items:
        for task in item.values():
            yield task
            for _, inside in lists_of(task):
                yield from _tasks(inside)
