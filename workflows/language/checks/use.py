"""`use`: what a document defines once and names in several places."""

from collections.abc import Mapping
from typing import Any

from workflows.language.checks.authentication import check_definition
from workflows.language.checks.calls import check_function
from workflows.language.checks.errors import check_error, check_retry
from workflows.language.checks.refused import USE
from workflows.language.checks.report import Report, at, check_object, nearest
from workflows.language.checks.values import BODY, check_timeout

PARTS = ("authentications", "errors", "functions", "retries", "secrets", "timeouts")


def check_use(report: Report, use: Any) -> None:
    """Check all that `use` defines."""
    if not check_object(report, use, "/use", PARTS, not_yet=USE):
        return
    for part in PARTS:
        if part == "secrets":
            _check_secrets(report, use.get(part, []))
        elif part in use and not isinstance(use[part], dict):
            report.add(at("/use", part), f"`{part}` must be an object of names", found=use[part])
        else:
            _check_part(report, part, use.get(part, {}))


def _check_part(report: Report, part: str, defined: Mapping[str, Any]) -> None:
    for name, value in defined.items():
        place = at(at("/use", part), name)
        if part == "authentications":
            check_definition(report, value, place)
        elif part == "errors":
            check_error(report, value, place, BODY)
        elif part == "functions":
            check_function(report, name, value, place)
        elif part == "retries":
            check_retry(report, value, place, BODY)
        elif isinstance(value, str):
            report.add(place, "a timeout is written out here", found=value, expected="{after: …}")
        else:
            check_timeout(report, value, place, BODY)


def _check_secrets(report: Report, names: Any) -> None:
    if not isinstance(names, list):
        report.add("/use/secrets", "`secrets` must be a list of names", found=names)
        return
    known = set(report.catalog.connections()) if names else set()
    for index, name in enumerate(names):
        place = at("/use/secrets", index)
        if not isinstance(name, str) or not name:
            report.add(place, "a secret is named by a text", found=name)
        elif name in names[:index]:
            report.add(place, f"`{name[:60]}` is there twice", suggestion="Remove one.")
        elif name not in known:
            hint = nearest(name, known) or "Make a connection of this name in the admin first."
            report.add(place, f"there is no connection `{name[:60]}`", suggestion=hint)
