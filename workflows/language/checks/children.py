"""Which workflow a task starts: `run`, and the `workflow` of a `map`."""

from collections.abc import Mapping
from typing import Any

from workflows.language.checks.refused import RUN
from workflows.language.checks.report import Report, at, check_boolean, check_object, check_one_of, check_text, nearest
from workflows.language.checks.values import BODY, Names, check_template, is_expression
from workflows.language.functions import LATEST
from workflows.language.locking import VERSION, workflow_versions


def check_run(report: Report, task: Mapping[str, Any], ref: str, scope: Names) -> None:
    """Check `run`: a workflow of this place."""
    run, place = task["run"], at(ref, "run")
    way = check_one_of(report, run, place, ("workflow",), beside=("await",), not_yet=RUN)
    if way is None:
        return
    check_boolean(report, run, "await", place)
    child, place = run["workflow"], at(place, "workflow")
    keys = ("namespace", "name", "version", "input")
    if not check_object(report, child, place, keys, required=("namespace", "name")):
        return
    check_child(report, child, place)
    given = child.get("input", {})
    if isinstance(given, dict) or is_expression(given):
        check_template(report, given, at(place, "input"), BODY | scope)
    else:
        report.add(at(place, "input"), "`input` must be an object or an expression in ${ }", found=given)


def check_child(report: Report, child: Mapping[str, Any], pointer: str) -> None:
    """Check that a workflow is published, in the version that is named, if one is."""
    name = check_text(report, child, "name", pointer)
    namespace = child.get("namespace", report.part("document").get("namespace"))
    if "namespace" in child and check_text(report, child, "namespace", pointer) is None:
        return
    if name is None or not isinstance(namespace, str):
        return
    if is_expression(name) or is_expression(namespace):
        report.add(at(pointer, "name"), "a workflow is named by a text, not by an expression", found=name)
        return
    about = report.part("document")
    published = workflow_versions({"name": name, "namespace": namespace}, about, report.catalog)
    if published:
        _check_version(report, child.get("version", LATEST), at(pointer, "version"), name, published)
    else:
        message = f"there is no published workflow `{name[:60]}` in the namespace `{namespace[:60]}`"
        report.add(at(pointer, "name"), message, suggestion=nearest(name, report.catalog.workflows(namespace)))


def _check_version(report: Report, version: Any, pointer: str, name: str, published: list[str]) -> None:
    if version == LATEST or version in published:
        return
    exact = isinstance(version, str) and VERSION.fullmatch(version)
    message = f"`{name[:60]}` has no version {version}" if exact else "a version must be exact, or latest"
    report.add(pointer, message, found=version, expected=" or ".join(published[:10]))
