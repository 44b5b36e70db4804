"""Bodies that come in chunks, without a length: read here, up to the limit, and handed on as if they had one.

Django reads as many bytes as `Content-Length` says, so a chunked body would look empty: a run would start with `{}`.
"""

import json
from collections.abc import Iterable
from io import BytesIO
from typing import IO, TYPE_CHECKING

from dotdo_site.lib.problems import CONTENT_TYPE, Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PIECE = 65_536


class Measured:
    """Wrap a WSGI application: give every body its length; refuse what is longer than `limit` bytes or cut off."""

    def __init__(self, application: "WSGIApplication", limit: int) -> None:
        self.application, self.limit = application, limit

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer with the application, or with a problem document."""
        if environ.get("CONTENT_LENGTH") or not environ.get("HTTP_TRANSFER_ENCODING"):
            return self.application(environ, start_response)
        if not environ.get("wsgi.input_terminated"):
            return _refuse(_unknown_length(), environ, start_response)
        try:
            body = _read(environ["wsgi.input"], self.limit + 1)
        except OSError:
            return _refuse(_cut_off(), environ, start_response)
        if len(body) > self.limit:
            return _refuse(_too_large(self.limit), environ, start_response)
        measured = environ | {"CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}
        return self.application(measured, start_response)


def _read(stream: IO[bytes], most: int) -> bytes:
    body = BytesIO()
    while (missing := most - body.tell()) > 0 and (piece := stream.read(min(missing, PIECE))):
        body.write(piece)
    return body.getvalue()


def _refuse(problem: Problem, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    document = json.dumps(problem.document(path.encode("latin-1").decode("utf-8", "replace"))).encode()
    headers = [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(document)))]
    start_response(f"{problem.status} {problem.title}", headers)
    return [document]


def _unknown_length() -> Problem:
    return Problem(411, "length-required", "Say how long the body is", "This server needs a Content-Length.")


def _cut_off() -> Problem:
    return Problem(400, "bad-request", "The body ended before it was complete", "Send the request again.")


def _too_large(limit: int) -> Problem:
    return Problem(413, "body-too-large", "The body is too large", f"the body is longer than {limit} bytes")
