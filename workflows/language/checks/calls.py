"""`call`: the function exists, in this version, and takes these arguments."""

from collections.abc import Mapping
from typing import Any

from workflows.language import templates
from workflows.language.catalog import FunctionInfo, all_names, find
from workflows.language.checks.refused import CALLS
from workflows.language.checks.report import Report, at, nearest
from workflows.language.checks.values import BODY, check_template
from workflows.language.locking import VERSION, FunctionName, parse_call

# With an expression in the value, these keywords could complain about what is not known yet, far from the expression.
CONDITIONAL = frozenset({"if", "unevaluatedItems", "unevaluatedProperties"})


def check_call(report: Report, task: Mapping[str, Any], ref: str) -> None:
    """Check a call task."""
    arguments = task.get("with", {})
    place = at(ref, "with")
    if isinstance(arguments, dict):
        check_template(report, arguments, place, BODY)
    else:
        report.add(place, "`with` must be an object", found=arguments)
    found = _resolve(report, task["call"], at(ref, "call"))
    if found and isinstance(arguments, dict):
        _check_arguments(report, *found, arguments, place)


def _resolve(report: Report, text: Any, pointer: str) -> tuple[FunctionInfo, str] | None:
    call = parse_call(text) if isinstance(text, str) else None
    if isinstance(text, str) and text in CALLS:
        report.add(pointer, f"`call: {text}` is not in this release", suggestion=CALLS[text])
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
        hint = nearest(call.name, all_names(report.catalog))
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


def _check_arguments(report: Report, info: FunctionInfo, version: str, value: dict[str, Any], place: str) -> None:
    """Check what is written out; where an expression stands, the value is checked when it is known."""
    open_places = [pointer for pointer, _ in templates.expressions(templates.compile(value))]
    schema = info.input_schema(version)
    if open_places and _mentions(schema, CONDITIONAL):
        return
    known = templates.resolve(templates.compile(value), lambda _: None)
    for pointer, message in info.check_input(version, known):
        if not any(_on_one_line(pointer, open_place) for open_place in open_places):
            name = pointer.removeprefix("/")
            fields = schema.get("properties", {})
            hint = nearest(name, fields) if name in value and name not in fields else ""
            report.add(place + pointer, f"the argument {message}", suggestion=hint)


def _on_one_line(one: str, other: str) -> bool:
    """Tell whether one of two pointers leads through the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _mentions(schema: Any, keywords: frozenset[str]) -> bool:
    if isinstance(schema, dict):
        return not keywords.isdisjoint(schema) or any(_mentions(part, keywords) for part in schema.values())
    return isinstance(schema, list) and any(_mentions(part, keywords) for part in schema)
