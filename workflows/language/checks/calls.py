"""`call`: the function exists, in this version, and takes these arguments."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workflows.language import templates
from workflows.language.catalog import FunctionInfo, all_names, find
from workflows.language.checks import http
from workflows.language.checks.approval import check_approval
from workflows.language.checks.children import check_child
from workflows.language.checks.metadata import check_task_metadata
from workflows.language.checks.refused import CALLS
from workflows.language.checks.report import Report, at, check_object, nearest
from workflows.language.checks.values import CALL, NOTHING, Names, check_template
from workflows.language.functions import PROTOCOLS, Merged, merged
from workflows.language.locking import VERSION, FunctionName, mapped_workflow, parse_call

# With an expression in the value, these keywords could complain about what is not known yet, far from the expression.
CONDITIONAL = frozenset({"if", "unevaluatedItems", "unevaluatedProperties"})


def check_call(report: Report, task: Mapping[str, Any], ref: str, scope: Names) -> None:
    """Check a call task, and what undoes it."""
    found = _check_invocation(report, task, ref, CALL | scope)
    own = _own(task)
    if "undo" in own:
        _check_undo(report, own["undo"], f"{ref}/metadata/dotdo/undo", scope)
        return
    whole = _merged(report, task)
    if found and whole and "undo" not in _own(whole.task):
        _check_own_undo(report, *found, at(ref, "call"))


def check_function(report: Report, name: str, value: Any, pointer: str) -> None:
    """Check a definition of `use.functions`: a call of the catalog, whose arguments need not be complete (R34)."""
    if name in PROTOCOLS or name in CALLS:
        report.add(pointer, f"`{name}` is a call of the language", suggestion="Choose another name.")
    if isinstance(value, dict) and "call" not in value:
        hint = "Write the other tasks where they are used."
        report.add(pointer, "a function is a task with a `call`", suggestion=hint)
        return
    if not check_object(report, value, pointer, ("call", "with", "metadata")):
        return
    check_task_metadata(report, value, pointer, NOTHING)
    alone = replace(report, document={**report.document, "use": {**report.part("use"), "functions": {}}})
    if isinstance(value["call"], str) and value["call"] in report.used("functions") and value["call"] != name:
        hint = "Name the action that it calls."
        report.add(at(pointer, "call"), "a function cannot call another one of `use`", suggestion=hint)
        return
    _check_invocation(alone, value, pointer, CALL, complete=False)
    if "undo" in _own(value):
        _check_undo(alone, _own(value)["undo"], f"{pointer}/metadata/dotdo/undo", NOTHING)


def _own(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `metadata.dotdo` of a task; empty if it is no object."""
    metadata = task.get("metadata")
    own = metadata.get("dotdo") if isinstance(metadata, dict) else None
    return own if isinstance(own, dict) else {}


def _check_undo(report: Report, undo: Any, pointer: str, scope: Names) -> None:
    if check_object(report, undo, pointer, ("call", "with"), required=("call",)) and "call" in undo:
        _check_invocation(report, undo, pointer, CALL | {"output"} | scope)


def _check_own_undo(report: Report, info: FunctionInfo, version: str, pointer: str) -> None:
    undo = info.undo(version)
    found = report.catalog.function(undo) if undo else None
    if undo and (found is None or not found.versions):
        hint = "Publish it, or say how to undo the call in `metadata.dotdo.undo`."
        report.add(pointer, f"the action names `{undo}` as its undo, which is not published", suggestion=hint)


def _check_invocation(
    report: Report, call: Mapping[str, Any], ref: str, variables: Names, *, complete: bool = True
) -> tuple[FunctionInfo, str] | None:
    """Check a `call` and its `with`, and return the function that it means, with the version."""
    arguments, place = call.get("with", {}), at(ref, "with")
    if isinstance(arguments, dict):
        check_template(report, arguments, place, variables)
    else:
        report.add(place, "`with` must be an object", found=arguments)
        arguments = {}
    whole = _merged(report, {**call, "with": arguments})
    if whole is None:
        return _resolve(report, call["call"], at(ref, "call"))
    own = arguments if whole.text != call["call"] or whole.arguments is not arguments else None
    scratch = report if own is None else replace(report, problems=[])
    found = None
    if whole.text in PROTOCOLS:
        http.check_arguments(scratch, whole.text, whole.arguments, place, complete=complete)
    elif found := _resolve(scratch if own is not None else report, whole.text, at(ref, "call")):
        _check_arguments(scratch, *found, whole, place, complete=complete)
    if own is not None:
        _take_over(report, scratch, place, whole.arguments.keys() - own.keys())
    return found


def _merged(report: Report, call: Mapping[str, Any]) -> Merged | None:
    """Return the call with the function of `use` that it names below it; None for what cannot be put together."""
    text = call["call"]
    function = report.used("functions").get(text) if isinstance(text, str) else None
    if function is None:
        return Merged(text, call.get("with", {}), call) if isinstance(text, str) else None
    sound = isinstance(function, dict) and isinstance(function.get("call"), str)
    if not sound or not isinstance(function.get("with", {}), dict):
        return None
    return merged(call, report.part("use"))


def _take_over(report: Report, found: Report, place: str, theirs: Any) -> None:
    """Report what is wrong with the arguments that a caller gives; those of the function are reported with it."""
    for problem in found.problems:
        inside = problem.pointer.removeprefix(f"{place}/").partition("/")[0]
        if problem.pointer.startswith(place) and inside not in theirs:
            report.take(problem)


def _resolve(report: Report, text: Any, pointer: str) -> tuple[FunctionInfo, str] | None:
    call = parse_call(text) if isinstance(text, str) else None
    if isinstance(text, str) and text in report.used("functions"):
        return None  # the definition is wrong, and reported there
    if isinstance(text, str) and text in CALLS:
        report.add(pointer, f"`call: {text}` is not supported", suggestion=CALLS[text])
    elif isinstance(text, str) and "://" in text:
        report.add(pointer, "a function cannot be fetched", found=text, suggestion="Call an action of this catalog.")
    elif call is None:
        report.add(pointer, "this does not name a function", found=text, expected="name or name:version@default")
    elif call.catalog not in (None, "default") or (call.catalog and not call.version):
        report.add(pointer, "there is no other catalog", found=text, expected="name or name:version@default")
    else:
        return _resolve_name(report, call, pointer)
    return None


def _resolve_name(report: Report, call: FunctionName, pointer: str) -> tuple[FunctionInfo, str] | None:
    info = find(report.catalog, call.name)
    if info is None:
        hint = nearest(call.name, [*report.used("functions"), *all_names(report.catalog), *PROTOCOLS])
        report.add(pointer, f"there is no action `{call.name}`", suggestion=hint)
    elif not info.versions:
        report.add(pointer, f"`{call.name}` has no published version", suggestion="Publish the action first.")
    elif call.version is None or call.version in info.versions:
        return info, call.version or info.versions[0]
    else:
        exact = VERSION.fullmatch(call.version)
        message = f"`{call.name}` has no version {call.version}" if exact else "a version must be exact, such as 1.2.0"
        report.add(pointer, message, found=call.version, expected=" or ".join(info.versions[:10]))
    return None


def _check_arguments(
    report: Report, info: FunctionInfo, version: str, call: Merged, place: str, *, complete: bool
) -> None:
    """Check what is written out; where an expression stands, the value is checked when it is known."""
    value = call.arguments
    template = templates.compile(value)
    open_places = [pointer for pointer, _ in templates.expressions(template)]
    schema = info.input_schema(version)
    for child in mapped_workflow(call):
        check_child(report, child, at(place, "workflow"))
    if call.text.partition(":")[0] == "approval":
        check_approval(report, value, place)
    if open_places and _mentions(schema, CONDITIONAL):
        return
    known = templates.resolve(template, lambda _: None)
    for pointer, message in info.check_input(version, known):
        missing = pointer.count("/") == 1 and pointer[1:] not in value
        if (missing and not complete) or any(_on_one_line(pointer, open_place) for open_place in open_places):
            continue
        report.add(place + pointer, f"the argument {message}", suggestion=_meant(schema, value, pointer))


def _meant(schema: Any, value: Any, pointer: str) -> str:
    """Return which field was probably meant, where one is given that the schema does not name."""
    *way, name = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:] or [""])
    for key in way:
        listed = isinstance(value, list)
        inside = schema.get("items") if listed else schema.get("properties", {}).get(key)
        schema = inside if isinstance(inside, dict) else {}
        value = value[int(key)] if listed else value.get(key) if isinstance(value, dict) else None
    fields = schema.get("properties", {})
    return nearest(name, fields) if isinstance(value, dict) and name in value and name not in fields else ""


def _on_one_line(one: str, other: str) -> bool:
    """Tell whether one of two pointers leads through the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _mentions(schema: Any, keywords: frozenset[str]) -> bool:
    if isinstance(schema, dict):
        return not keywords.isdisjoint(schema) or any(_mentions(part, keywords) for part in schema.values())
    return isinstance(schema, list) and any(_mentions(part, keywords) for part in schema)
