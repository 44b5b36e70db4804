"""Errors of the API as documents (RFC 9457, application/problem+json).

A problem is made from an exception by `problem_of`, which each app extends for its own errors with
`@problem_of.register`: one table of what a caller is told, and no view that catches anything.
"""

import difflib
import logging
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import django.db
import psycopg
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions

from dotdo_site.lib import refusals
from dotdo_site.lib.database_errors import DISK_FULL, is_outage, sqlstate
from dotdo_site.lib.paging import BadCursor
from dotdo_site.lib.strict_json import BadJSON, TooLarge

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for a machine and for a person. `extra` members are added to the document."""

    status: int
    slug: str
    title: str
    detail: str = ""
    errors: tuple[Mapping[str, str], ...] = ()
    near: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, instance: str) -> dict[str, Any]:
        """Return the members of the problem document; `instance` is the path that was asked for."""
        document: dict[str, Any] = {
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail or self.title,
            "instance": instance,
        }
        if self.errors:
            document["errors"] = [dict(error) for error in self.errors]
        if self.near:
            document["near"] = list(self.near)
        return document | dict(self.extra)


class BadRequest(Exception):
    """A header or parameter cannot be used. The message says which and why."""


class NotTaken(Exception):
    """The media type of a body is none of those that are taken here. The message names those."""

    def __init__(self, media_type: str, taken: Iterable[str]) -> None:
        given = f"{media_type} is not taken" if media_type else "the body has no Content-Type"
        super().__init__(f"{given}: send {', '.join(taken)}")


def near(word: str, known: Iterable[str]) -> list[str]:
    """Return up to three of the `known` words that resemble `word`, the best first."""
    return difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)


@singledispatch
def problem_of(error: Exception) -> Problem:
    """Return the problem that tells a caller about `error`; an unexpected one is logged and gets an id to quote."""
    return _unexpected(error)


def _unexpected(error: Exception) -> Problem:
    number = uuid.uuid4().hex
    logger.error("unexpected error %s", number, exc_info=error)
    return Problem(
        500,
        "internal-error",
        "Something went wrong here",
        f"The error was logged as {number}; nothing about it is shown here.",
        extra={"correlation_id": number},
    )


@problem_of.register
def _bad_request(error: BadRequest) -> Problem:
    return Problem(400, "bad-request", "The request cannot be used", str(error))


@problem_of.register
def _bad_json(error: BadJSON) -> Problem:
    return Problem(400, "invalid-json", "The body is not acceptable JSON", error.message)


@problem_of.register
def _bad_cursor(error: BadCursor) -> Problem:
    return Problem(400, "invalid-cursor", "The cursor cannot be read", str(error))


@problem_of.register
def _too_large(error: TooLarge) -> Problem:
    return Problem(413, "body-too-large", "The body is too large", str(error))


@problem_of.register
def _too_large_for_django(_error: RequestDataTooBig) -> Problem:
    longest = f"the body is longer than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes"
    return Problem(413, "body-too-large", "The body is too large", longest)


@problem_of.register
def _not_taken(error: NotTaken) -> Problem:
    return Problem(415, "unsupported-media-type", "This media type is not accepted here", str(error))


@problem_of.register
def _suspicious(error: SuspiciousOperation) -> Problem:
    return Problem(400, "bad-request", "The request was refused", type(error).__name__)


@problem_of.register
def _cut_off(_error: UnreadablePostError) -> Problem:
    return Problem(400, "bad-request", "The body ended before it was complete", "Send the request again.")


@problem_of.register
def _not_found(error: Http404) -> Problem:
    return Problem(404, "not-found", "There is nothing here", str(error))


@problem_of.register
def _denied(error: PermissionDenied) -> Problem:
    return Problem(403, "forbidden", "This is not allowed", str(error))


@problem_of.register(django.db.OperationalError)
@problem_of.register(django.db.InterfaceError)
@problem_of.register(psycopg.OperationalError)
@problem_of.register(psycopg.InterfaceError)
def _database_away(error: Exception) -> Problem:
    if sqlstate(error) == DISK_FULL:
        refusals.note()
    logger.error("the database did not do it: %s %s: %s", type(error).__name__, sqlstate(error), str(error).strip())
    return Problem(
        503,
        "database-away",
        "The database does not answer, or takes nothing at present",
        "Nothing was changed unless a repeated request shows otherwise: repeat it with the same Idempotency-Key.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


@problem_of.register(django.db.DatabaseError)
@problem_of.register(psycopg.DatabaseError)
def _of_the_database(error: Exception) -> Problem:
    return _database_away(error) if is_outage(error) else _unexpected(error)


@problem_of.register
def _invalid(error: exceptions.ValidationError) -> Problem:
    errors = tuple(flatten(error.detail))
    detail = f"{len(errors)} problem{'s' if len(errors) != 1 else ''}: see errors."
    status = 400 if getattr(error, "of_query", False) else 422
    slug = "invalid-query" if status == 400 else "invalid-body"
    return Problem(status, slug, "The request does not fit", detail, errors=errors)


@problem_of.register
def _api(error: exceptions.APIException) -> Problem:
    slug, title = _API.get(error.status_code, ("error", error.default_detail))
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(challenge)
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, int(wait)))
    return Problem(error.status_code, slug, str(title), str(error.detail), headers=headers)


_API = {
    400: ("bad-request", "The request cannot be used"),
    401: ("unauthenticated", "Say who you are"),
    403: ("forbidden", "This is not allowed"),
    404: ("not-found", "There is nothing here"),
    405: ("method-not-allowed", "This method is not supported here"),
    406: ("not-acceptable", "Only JSON is served here"),
    415: ("unsupported-media-type", "Only application/json is accepted here"),
    428: ("precondition-required", "Say which version this replaces"),
    429: ("too-many-requests", "Too many requests"),
}


def flatten(detail: Any, pointer: str = "") -> list[dict[str, str]]:
    """Return DRF's nested error detail as a list of `{pointer, rule, message}`."""
    if isinstance(detail, dict):
        return [
            found
            for key, inner in detail.items()
            for found in flatten(inner, pointer if key == "non_field_errors" else f"{pointer}/{_escape(str(key))}")
        ]
    if isinstance(detail, list):
        return [
            found
            for index, inner in enumerate(detail)
            for found in flatten(inner, pointer if isinstance(inner, str) else f"{pointer}/{index}")
        ]
    return [{"pointer": pointer, "rule": getattr(detail, "code", "invalid"), "message": str(detail)}]


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
