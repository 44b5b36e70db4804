"""The readers of task lists and of each kind of task."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from workflows.language import durations, templates
from workflows.language.functions import merged
from workflows.language.kinds import kind_of
from workflows.language.reading import blocks, calls
from workflows.language.reading.parts import read_expression, read_schema, read_timeout, read_transform
from workflows.language.reading.source import Reading, Source
from workflows.language.tasks import CONTINUE, Case, Raise, Set, Switch, Task, TaskList, Wait


def read_tasks(document: Mapping[str, Any], lock: Mapping[str, Any]) -> TaskList:
    """Return the tasks of a valid document."""
    source = Source(document["document"]["namespace"], document.get("use", {}), lock)
    return _read_list(document["do"], "/do", source)


def _read_list(items: list[dict[str, Any]], ref: str, source: Source) -> TaskList:
    tasks = tuple(_read_task(item, f"{ref}/{index}", index, source) for index, item in enumerate(items))
    return TaskList(ref=ref, tasks=tasks, positions={task.name: task.index for task in tasks})


def _read_task(item: dict[str, Any], place: str, index: int, source: Source) -> Task:
    ((name, definition),) = item.items()
    ref = f"{place}/{name}"
    fields = merged(definition, source.use).task if "call" in definition else definition
    common = {"name": name, "ref": ref, "index": index, "definition": definition, **_read_common(fields, source)}
    return READERS[kind_of(definition) or ""](Reading(definition, ref, common, source, _read_list))


def _read_common(fields: Mapping[str, Any], source: Source) -> dict[str, Any]:
    incoming, outgoing, export = (fields.get(key, {}) for key in ("input", "output", "export"))
    metadata = fields.get("metadata", {})
    own = metadata.get("dotdo", {})
    return {
        "if_": read_expression(fields, "if"),
        "input_schema": read_schema(incoming),
        "input_from": read_transform(incoming, "from"),
        "output_schema": read_schema(outgoing),
        "output_as": read_transform(outgoing, "as"),
        "export_schema": read_schema(export),
        "export_as": read_transform(export, "as"),
        "timeout": read_timeout(fields, source.use),
        "then": fields.get("then", CONTINUE),
        "saga": own.get("saga", False),
        "idempotency_key": _text_expression(own["idempotencyKey"]) if "idempotencyKey" in own else None,
        "metadata": metadata,
    }


def _text_expression(text: str) -> str:
    """Return the jq text of a text that may be an expression."""
    inner = templates.inner(text)
    return json.dumps(text) if inner is None else inner


def _read_set(task: Reading) -> Set:
    return Set(value=templates.compile(task.definition["set"]), **task.common)


def _read_switch(task: Reading) -> Switch:
    cases = []
    for index, item in enumerate(task.definition["switch"]):
        ((name, case),) = item.items()
        ref = f"{task.ref}/switch/{index}/{name}"
        cases.append(Case(name=name, ref=ref, when=read_expression(case, "when"), then=case["then"]))
    default = next((case for case in cases if case.when is None), None)
    return Switch(cases=tuple(case for case in cases if case.when is not None), default=default, **task.common)


def _read_wait(task: Reading) -> Wait:
    duration = task.definition["wait"]
    text = templates.inner(duration) if isinstance(duration, str) else None
    return Wait(duration=durations.parse_wait(duration) if text is None else text, **task.common)


def _read_raise(task: Reading) -> Raise:
    error = task.definition["raise"]["error"]
    return Raise(
        error=templates.compile(task.source.use["errors"][error] if isinstance(error, str) else error), **task.common
    )


READERS: Mapping[str, Callable[[Reading], Task]] = {
    "call": calls.read_call,
    "do": blocks.read_do,
    "emit": blocks.read_emit,
    "for": blocks.read_for,
    "fork": blocks.read_fork,
    "listen": blocks.read_listen,
    "raise": _read_raise,
    "run": calls.read_run,
    "set": _read_set,
    "switch": _read_switch,
    "try": blocks.read_try,
    "wait": _read_wait,
}
