"""Errors of the workflow language (RFC 7807 objects); the type names and default statuses are the DSL's, §1.10."""

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


class Fault(Exception):
    """An error raised inside a workflow. `error` has type, status and perhaps title, detail, instance."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("detail") or error.get("title") or error["type"])
        self.error = error


def fault(name: str, title: str, detail: str = "", *, status: int | None = None, **more: Any) -> Fault:
    """Return a Fault of one of the eight standard types."""
    error = {"type": TYPES + name, "status": status or STATUS[name], "title": title, **more}
    return Fault(error | ({"detail": detail} if detail else {}))
