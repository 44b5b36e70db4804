"""A request to a stand-in, and its answer, without HTTP around them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: the rest of the path, the query, the Idempotency-Key, and the JSON object that was sent."""

    name: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; `said` is the line for the log."""

    status: HTTPStatus
    content: Any
    said: str = ""


def refused(status: HTTPStatus, error: str, message: str) -> Answer:
    """Return a refusal, which is also what the log says."""
    return Answer(status, {"error": error, "message": message}, message)
