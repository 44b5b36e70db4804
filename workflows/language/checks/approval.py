"""What an approval says beyond its input schema: a form that can be used, and people who exist."""

from collections.abc import Mapping
from typing import Any

from workflows.language import templates
from workflows.language.checks.report import Report, at, nearest
from workflows.language.checks.values import check_json_schema, is_expression


def check_approval(report: Report, arguments: Mapping[str, Any], pointer: str) -> None:
    """Check what is written out; a name in an expression is looked up when the approval begins."""
    form = arguments.get("form")
    if isinstance(form, dict) and templates.is_constant(form):
        check_json_schema(report, form, at(pointer, "form"))
    people = arguments.get("assignees")
    for kind, there in (("users", report.catalog.users), ("groups", report.catalog.groups)):
        named = people.get(kind) if isinstance(people, dict) else None
        if isinstance(named, list) and named:
            _check_names(report, kind, named, set(there()), f"{pointer}/assignees/{kind}")


def _check_names(report: Report, kind: str, named: list[Any], there: set[str], pointer: str) -> None:
    for index, name in enumerate(named):
        if isinstance(name, str) and name and not is_expression(name) and name not in there:
            hint = nearest(name, sorted(there)) or f"Make the {kind[:-1]} in the admin first, or correct the name."
            report.add(at(pointer, index), f"there is no {kind[:-1]} `{name[:60]}` here", suggestion=hint)
