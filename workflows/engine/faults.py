"""Errors of the workflow language (RFC 7807 objects); the type names and default statuses are the DSL's, §1.10."""

import re
from typing import Any

TYPES = "https://serverlessworkflow.io/spec/1.0.0/errors/"
STATUS = {
    "configuration": 400,
    "validation": 400,
    "expression": 400,
    "authentication": 401,
    "authorization": 403,
    "timeout": 408,
    "communication": 500,
    "runtime": 500,
}
# The same eight types are written under several addresses (R27).
ALIAS = re.compile(
    r"https://(?:serverlessworkflow\.io|open-workflow-specification\.org)/"
    rf"(?:spec/[^/]+/errors|dsl/errors/types|errors/types)/({'|'.join(STATUS)})"
)


class Fault(Exception):
    """An error raised inside a workflow. `error` has type, status and perhaps title, detail, instance."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("detail") or error.get("title") or error["type"])
        self.error = error


def fault(name: str, title: str, detail: str = "", *, status: int | None = None, **more: Any) -> Fault:
    """Return a Fault of one of the eight standard types."""
    error = {"type": TYPES + name, "status": status or STATUS[name], "title": title, **more}
    return Fault(error | ({"detail": detail} if detail else {}))


def canonical_type(uri: Any) -> Any:
    """Return the address that we use for a type, when it is one of the standard types; anything else as it is."""
    found = ALIAS.fullmatch(uri) if isinstance(uri, str) else None
    return TYPES + found[1] if found else uri


def short_type(error: dict[str, Any]) -> str:
    """Return the last part of the error's type, for people."""
    return str(error.get("type", "")).rstrip("/").rpartition("/")[2] or "error"
