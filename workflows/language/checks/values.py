"""Expressions, and data with expressions inside (R20, R21), and the parts of a document made of them."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from workflows.language import templates
from workflows.language.checks.refused import SCHEMA
from workflows.language.checks.report import Report, at, check_object

PART = re.compile(r"\$\{\s*(.+?)\s*\}", re.DOTALL)

# Where each variable is available: the table of workflow-language §1.8, without what this release has not.
EVERYWHERE = frozenset({"workflow", "runtime"})
BEFORE_TASK = EVERYWHERE | {"context", "task"}
BODY = BEFORE_TASK | {"input"}
EXPORT = BODY | {"output"}
RESULT = EVERYWHERE | {"context"}


def check_expression(report: Report, value: Any, pointer: str, variables: frozenset[str]) -> None:
    """Check a field that is always an expression, bare or in `${ }` (R20)."""
    if not isinstance(value, str):
        report.add(pointer, "this must be an expression", found=value)
        return
    text = templates.always(value)
    error = report.compile_expression(text, variables)
    if error:
        report.add(pointer, f"the expression is wrong: {error}", found=text, suggestion=_hint(error, variables))


def check_template(report: Report, value: Any, pointer: str, variables: frozenset[str]) -> None:
    """Check data in which whole strings may be expressions."""
    if isinstance(value, dict):
        for key, item in value.items():
            if "${" in key:
                report.add(at(pointer, key), "keys are not evaluated", found=key, suggestion=_key_hint(key))
            check_template(report, item, at(pointer, key), variables)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_template(report, item, at(pointer, index), variables)
    elif isinstance(value, str) and "${" in value:
        _check_marked(report, value, pointer, variables)


def check_data(report: Report, value: Any, pointer: str, transform: str, variables: frozenset[str]) -> None:
    """Check an `input`, `output` or `export`: a schema and a transformation (`from` or `as`)."""
    if not check_object(report, value, pointer, ("schema", transform)):
        return
    if "schema" in value:
        _check_schema(report, value["schema"], at(pointer, "schema"))
    if transform not in value:
        return
    given, place = value[transform], at(pointer, transform)
    if isinstance(given, str):
        check_expression(report, given, place, variables)
    elif isinstance(given, dict):
        check_template(report, given, place, variables)
    else:
        report.add(place, f"`{transform}` must be an expression or an object", found=given)


def check_metadata(report: Report, parent: Mapping[str, Any], pointer: str, enforced: Iterable[str] = ()) -> None:
    """Check `metadata`: free, but for the key `dotdo`, where only what has an effect may stand."""
    if "metadata" not in parent:
        return
    value, place = parent["metadata"], at(pointer, "metadata")
    if not isinstance(value, dict):
        report.add(place, "`metadata` must be an object", found=value)
    elif "dotdo" in value:
        check_object(report, value["dotdo"], at(place, "dotdo"), enforced)


def _check_schema(report: Report, value: Any, pointer: str) -> None:
    if not check_object(report, value, pointer, ("format", "document"), required=("document",), not_yet=SCHEMA):
        return
    if value.get("format", "json") != "json":
        hint = "Leave it out; a dialect is named by `$schema` in the document."
        report.add(at(pointer, "format"), "only JSON Schema is known", found=value["format"], suggestion=hint)
    if "document" in value:
        place = at(pointer, "document")
        for inside, message in report.check_schema(value["document"]):
            report.add(place + inside, f"the schema is wrong: {message}")


def _check_marked(report: Report, value: str, pointer: str, variables: frozenset[str]) -> None:
    if templates.inner(value) is not None:
        check_expression(report, value, pointer, variables)
        return
    message = "only a whole text can be an expression, not a part of it"
    report.add(pointer, message, found=value, suggestion=f"Write `{_whole(value)}`.")


def _whole(text: str) -> str:
    r"""Return `Hello ${ .x }!` as `${ "Hello \(.x)!" }`."""
    parts = PART.split(text)
    quoted = (
        rf"\({part})" if index % 2 else json.dumps(part, ensure_ascii=False)[1:-1] for index, part in enumerate(parts)
    )
    return f'${{ "{"".join(quoted)}" }}'


def _key_hint(key: str) -> str:
    inside = templates.inner(key)
    return f"Make the whole object an expression: `${{ {{({inside}): …}} }}`." if inside else ""


def _hint(error: str, variables: frozenset[str]) -> str:
    if not error.startswith("$"):
        return ""
    return "Available here: " + ", ".join(f"${name}" for name in sorted(variables)) + "."
