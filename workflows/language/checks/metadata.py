"""`metadata`: free, but for the key `dotdo`, where only what has an effect may stand."""

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from workflows.language.checks.notify import check_notify
from workflows.language.checks.report import Report, at, check_boolean, check_choice, check_object, show
from workflows.language.checks.values import BODY, Names, check_template
from workflows.language.kinds import lists_of

OF_DOCUMENT = ("queue", "priority", "onFault", "missed", "timezone", "notify")
OF_TASK = ("undo", "saga", "idempotencyKey")
ON_FAULT = ("park", "undo")
MISSED = ("skip", "latest", "all")
QUEUE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
LONGEST_KEY = 255
PRIORITIES = range(5)


def check_metadata(report: Report, parent: Mapping[str, Any], pointer: str, enforced: tuple[str, ...] = ()) -> bool:
    """Check that `metadata` is an object, and the names in its `dotdo`; tell whether to look into that."""
    if "metadata" not in parent:
        return False
    value, place = parent["metadata"], at(pointer, "metadata")
    if not isinstance(value, dict):
        report.add(place, "`metadata` must be an object", found=value)
        return False
    return "dotdo" in value and check_object(report, value["dotdo"], at(place, "dotdo"), enforced)


def check_document_metadata(report: Report, about: Mapping[str, Any]) -> None:
    """Check the `metadata` of the document."""
    place = "/document/metadata/dotdo"
    if check_metadata(report, about, "/document", OF_DOCUMENT):
        own = about["metadata"]["dotdo"]
        _check_queue(report, own, place)
        for key, words in (("onFault", ON_FAULT), ("missed", MISSED)):
            if key in own:
                check_choice(report, own[key], at(place, key), words)
        for key in ("missed", "timezone"):
            if key in own and "schedule" not in report.document:
                hint = "Give the document a `schedule`, or remove this."
                report.add(at(place, key), f"`{key}` has no effect without a schedule", suggestion=hint)
        if "timezone" in own:
            _check_zone(report, own["timezone"], at(place, "timezone"))
        if "notify" in own:
            check_notify(report, own["notify"], at(place, "notify"))
    free = about.get("metadata")
    if isinstance(free, dict) and "timezone" in free and "schedule" in report.document:
        _check_zone(report, free["timezone"], "/document/metadata/timezone")


def check_task_metadata(report: Report, task: Mapping[str, Any], ref: str, scope: Names) -> None:
    """Check the `metadata` of a task; what undoes a call is checked with the call."""
    if not check_metadata(report, task, ref, OF_TASK):
        return
    own, place = task["metadata"]["dotdo"], f"{ref}/metadata/dotdo"
    for key in ("undo", "idempotencyKey"):
        if key in own and "call" not in task:
            report.add(at(place, key), f"`{key}` has an effect on a call only", suggestion="Move it to a call.")
    check_boolean(report, own, "saga", place)
    if "saga" in own and not any(True for _ in lists_of(task)):
        hint = "Move it to the task around the calls that are to be undone together."
        report.add(at(place, "saga"), "`saga` has an effect on a task with tasks inside only", suggestion=hint)
    if "idempotencyKey" in own:
        _check_key(report, own["idempotencyKey"], at(place, "idempotencyKey"), scope)


def _check_queue(report: Report, own: Mapping[str, Any], place: str) -> None:
    queue, priority = own.get("queue", "default"), own.get("priority", 2)
    if not isinstance(queue, str) or not QUEUE.fullmatch(queue):
        expected = "lower-case letters, digits, - and _; 63 at most"
        report.add(at(place, "queue"), "this is not the name of a queue", found=queue, expected=expected)
    if not isinstance(priority, int) or isinstance(priority, bool) or priority not in PRIORITIES:
        report.add(at(place, "priority"), "this is not a priority", found=priority, expected="0 (first) to 4 (last)")


def _check_zone(report: Report, zone: Any, pointer: str) -> None:
    try:
        ZoneInfo(zone if isinstance(zone, str) else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        report.add(pointer, "this is not a time zone", found=zone, expected="a name such as Europe/Berlin")


def _check_key(report: Report, key: Any, pointer: str, scope: Names) -> None:
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY:
        expected = f"a text of 1 to {LONGEST_KEY} characters, or an expression that gives one"
        report.add(pointer, f"{show(key)} is not an idempotency key", expected=expected)
    else:
        check_template(report, key, pointer, BODY | scope)
