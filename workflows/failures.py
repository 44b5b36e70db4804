"""From the failure of an attempt to the error object of the language, and to what a failed step keeps."""

from collections.abc import Mapping
from typing import Any

from actions.errors import Failure
from workflows.engine.faults import STATUS, TYPES

# What fails before, or instead of, a call to the outside, in the language's words.
FAULTS: Mapping[str, str] = {
    "timeout": "timeout",
    "invalid_input": "validation",
    "invalid_header": "validation",
    "invalid_template": "expression",
    "invalid_document": "configuration",
    "unknown_operation": "configuration",
    "no_connection": "authorization",
    "no_secret": "authorization",
    "secret_refused": "authorization",
    "secret_unreadable": "authorization",
}
CARRIED = ("type", "status", "title", "detail")


def language_error(failure: Failure, ref: str) -> dict[str, Any]:
    """Return the language's error object for a failed leaf; code and retryable travel with it.

    A child run's error keeps its type, status and title; the detail names the child (R17).
    """
    about = {"instance": ref, "code": failure.code, "retryable": failure.retryable}
    inner = failure.details.get("error")
    if isinstance(inner, Mapping) and "type" in inner:
        carried = {name: inner[name] for name in CARRIED if name in inner}
        child = failure.details.get("child")
        detail = f"{carried.get('detail', '')} (run {child})".strip() if child else carried.get("detail", "")
        return {**carried, "detail": detail, **about}
    status = failure.details.get("status")
    name = FAULTS.get(failure.code) or ("communication" if isinstance(status, int) else "runtime")
    return {
        "type": TYPES + name,
        "status": status if isinstance(status, int) else STATUS[name],
        "title": failure.code,
        "detail": failure.message,
        **about,
    }


def fault_error(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return the error that a step keeps for a fault of the language."""
    return {**error, "code": str(error.get("title") or "fault"), "message": words(error), "retryable": False}


def words(error: Mapping[str, Any]) -> str:
    """Return the most telling part of an error."""
    return str(error.get("detail") or error.get("title") or error.get("type") or "a fault")
