"""Expressions, data with expressions inside (R20, R21), durations, schemas: the parts that documents are made of."""

import json
import re
from datetime import timedelta
from typing import Any

from workflows.language import durations, templates
from workflows.language.checks.refused import SCHEMA
from workflows.language.checks.report import NOT_SHOWN, Report, at, check_object, nearest

PART = re.compile(r"\$\{\s*(.+?)\s*\}", re.DOTALL)
SECRET = re.compile(r"""\$\s*secrets\s*(?:\.\s*([A-Za-z_][A-Za-z0-9_]*)|\.?\s*\[?\s*"([^"\\]*)")""")
# A secret, alone, in brackets or inside a text, that goes into an encoding: what would be encoded is the mark for it.
_OF_SECRETS = r"""\$\s*secrets\b(?:[\w.\s]|\[\s*"[^"\\]*"\s*\])*"""
ENCODED = re.compile(
    rf"""(?:{_OF_SECRETS}|\([^()|]*{_OF_SECRETS}[^()|]*\)|"[^"]*\\\(\s*{_OF_SECRETS}\)[^"]*")\s*\|\s*(@(?:base64d?|uri))\b"""
)
LONGEST_SEARCHED = 2_000  # the search takes quadratic time
SECRETS = "Only the `with` of a call and an `authentication` can use `$secrets`."

# Where each variable is available: the table of workflow-language §1.8. A block adds its own to what is inside it.
Names = frozenset[str]
NOTHING: Names = frozenset()
EVERYWHERE = frozenset({"workflow", "runtime"})
BEFORE_TASK = EVERYWHERE | {"context", "task"}
BODY = BEFORE_TASK | {"input"}
CALL = BODY | {"secrets"}
EXPORT = BODY | {"output"}
RESULT = EVERYWHERE | {"context"}


def is_expression(value: Any) -> bool:
    """Tell whether a value is a text that is wholly `${ ... }`."""
    return isinstance(value, str) and templates.inner(value) is not None


def check_expression(report: Report, value: Any, pointer: str, variables: Names) -> None:
    """Check a field that is always an expression, bare or in `${ }` (R20)."""
    if not isinstance(value, str):
        report.add(pointer, "this must be an expression", found=value)
        return
    text = templates.always(value)
    error = report.compile_expression(text, variables)
    if error:
        hint = _hint(error, variables) or _hyphen_hint(report, text)
        report.add(pointer, f"the expression is wrong: {error}", found=text, suggestion=hint)
    elif "secrets" in variables:
        _check_secrets(report, text, pointer)


def check_template(report: Report, value: Any, pointer: str, variables: Names) -> None:
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


def check_data(
    report: Report, value: Any, pointer: str, transform: str, variables: Names, *, schema: bool = True
) -> None:
    """Check an `input`, `output` or `export`: a schema and a transformation (`from` or `as`)."""
    if not check_object(report, value, pointer, ("schema", transform) if schema else (transform,)):
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


def check_duration(
    report: Report, value: Any, pointer: str, variables: Names | None, *, shortest: timedelta | None = None
) -> None:
    """Check an object of units, an ISO 8601 text or, where there are `variables`, an expression in `${ }`."""
    if variables is not None and isinstance(value, str) and "${" in value:
        check_template(report, value, pointer, variables)
        return
    try:
        duration = durations.parse_wait(value)
    except durations.DurationError as error:
        report.add(pointer, str(error), found=NOT_SHOWN if isinstance(value, dict) else value)
        return
    if shortest is not None and duration < shortest:
        report.add(pointer, "this is too short", found=value, expected=f"{shortest.total_seconds():g} s or more")


def check_timeout(report: Report, value: Any, pointer: str, variables: Names) -> None:
    """Check a `timeout`: written out, or the name of one of `use.timeouts`."""
    if isinstance(value, str):
        check_name(report, value, pointer, "timeouts")
    elif check_object(report, value, pointer, ("after",), required=("after",)) and "after" in value:
        check_duration(report, value["after"], at(pointer, "after"), variables, shortest=durations.SHORTEST)


def check_name(report: Report, name: str, pointer: str, part: str) -> bool:
    """Check that `use` defines this name, in that part of it."""
    known = report.used(part)
    if name not in known:
        hint = nearest(name, known) or f"Define it under `use.{part}`."
        report.add(pointer, f"`use.{part}` has no `{name[:60]}`", suggestion=hint)
    return name in known


def _check_schema(report: Report, value: Any, pointer: str) -> None:
    if not check_object(report, value, pointer, ("format", "document"), required=("document",), not_yet=SCHEMA):
        return
    if value.get("format", "json") != "json":
        hint = "Leave it out; a dialect is named by `$schema` in the document."
        report.add(at(pointer, "format"), "only JSON Schema is known", found=value["format"], suggestion=hint)
    if "document" in value:
        check_json_schema(report, value["document"], at(pointer, "document"))


def check_json_schema(report: Report, schema: Any, pointer: str) -> None:
    """Check a JSON Schema."""
    for inside, message in report.check_schema(schema):
        report.add(pointer + inside, f"the schema is wrong: {message}")


def declared_secrets(report: Report) -> list[str]:
    """Return the names under `use.secrets`."""
    names = report.part("use").get("secrets")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _check_secrets(report: Report, text: str, pointer: str) -> None:
    names = declared_secrets(report)
    for one, other in SECRET.findall(text):
        name = one or other
        if name not in names:
            hint = nearest(name, names) or "List it under `use.secrets`."
            report.add(pointer, f"the secret `{name[:60]}` is not declared", found=text, suggestion=hint)
    encoded = ENCODED.search(text) if len(text) <= LONGEST_SEARCHED else None
    if encoded:
        message = f"`{encoded[1]}` would encode the mark that stands for a secret until the request is sent"
        report.add(pointer, message, found=text, suggestion="Use `authentication` or `query`, which encode it then.")


def _check_marked(report: Report, value: str, pointer: str, variables: Names) -> None:
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


def _hyphen_hint(report: Report, text: str) -> str:
    """Return what to write for `$secrets.some-name`, which jq reads as a subtraction."""
    names = (name for name in declared_secrets(report) if "-" in name and f"$secrets.{name}" in text)
    return next((f'Write `$secrets["{name}"]`.' for name in names), "")


def _hint(error: str, variables: Names) -> str:
    if error.startswith("$secrets "):
        return SECRETS
    if not error.startswith("$"):
        return ""
    if not variables:
        return "No variables are available here."
    return "Available here: " + ", ".join(f"${name}" for name in sorted(variables)) + "."
