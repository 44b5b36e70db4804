"""`call` and `run`: what a task calls is an exact version, and names of `use` are replaced by what they stand for."""

from collections.abc import Mapping
from typing import Any

from workflows.language import templates
from workflows.language.functions import PROTOCOLS, Merged, merged, workflow_key
from workflows.language.reading.source import Reading, Source
from workflows.language.tasks import Call, RunWorkflow, UndoSpec


def read_call(task: Reading) -> Call:
    """Read a call of an action, a built-in function, `http` or `openapi`."""
    call = merged(task.definition, task.source.use)
    function, version = _pinned(call, task.source)
    return Call(
        function=function,
        version=version,
        with_=_arguments(call, task.source),
        undo=_read_undo(call, task.source),
        **task.common,
    )


def read_run(task: Reading) -> RunWorkflow:
    """Read the start of a child run."""
    run = task.definition["run"]
    child = run["workflow"]
    return RunWorkflow(
        namespace=child["namespace"],
        workflow=child["name"],
        version=task.source.lock[workflow_key(child, task.source.namespace)],
        input=templates.compile(child.get("input", {})),
        await_=run.get("await", True),
        **task.common,
    )


def _pinned(call: Merged, source: Source) -> tuple[str, str]:
    if call.text in PROTOCOLS:
        return call.text, PROTOCOLS[call.text]
    function, _, version = source.lock[call.text].rpartition(":")
    return function, version


def _arguments(call: Merged, source: Source) -> templates.Template:
    arguments = call.arguments
    if call.text in PROTOCOLS:
        return templates.compile(_with_authentication(arguments, source.use.get("authentications", {})))
    if isinstance(arguments, Mapping) and isinstance(arguments.get("workflow"), Mapping):
        arguments = {**arguments, "workflow": _locked_workflow(arguments["workflow"], source)}
    return templates.compile(arguments)


def _locked_workflow(child: Mapping[str, Any], source: Source) -> Mapping[str, Any]:
    """Return the `workflow` of a `map` with its exact version; one with an expression inside is found at run time."""
    version = source.lock.get(workflow_key(child, source.namespace))
    return {"namespace": source.namespace, **child, "version": version} if version else child


def _with_authentication(value: Any, known: Mapping[str, Any]) -> Any:
    """Return the arguments with each `authentication: {use: name}` replaced by the definition of that name."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: known[item["use"]]
        if key == "authentication" and isinstance(item, Mapping) and "use" in item
        else _with_authentication(item, known)
        if key in ("endpoint", "document")
        else item
        for key, item in value.items()
    }


def _read_undo(call: Merged, source: Source) -> UndoSpec | None:
    own = call.task.get("metadata", {}).get("dotdo", {}).get("undo")
    if own is not None:
        undo = merged(own, source.use)
        function, version = _pinned(undo, source)
        return UndoSpec(function=function, version=version, with_=_arguments(undo, source))
    locked = source.lock.get(f"undo:{call.text}")
    if locked is None:
        return None
    return UndoSpec(function=locked["function"], version=locked["version"], fields=tuple(locked["fields"]))
