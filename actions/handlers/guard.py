"""The HTTP client of handlers: guarded connections, one total deadline, a size limit, no redirects, no proxies."""

import json as json_module
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from actions import running
from actions.errors import ActionError
from actions.handlers.reach import Resolver, tls_context
from actions.handlers.streams import GuardedBackend

MAX_BYTES = 1024 * 1024
DEFAULT_SECONDS = 30.0
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
OWN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "upgrade", "te"}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. `headers` has lower-case names; the body is complete."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body read as JSON. Raises ActionError `invalid_response`."""
        try:
            return json_module.loads(self.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ActionError("invalid_response", f"the answer is not JSON: {error}", definite=False) from None


@dataclass(slots=True)
class GuardedClient:
    """An HTTP client for handlers. `deadline` (monotonic seconds) bounds the whole exchange, not each read."""

    deadline: float | None = None
    resolver: Resolver | None = None

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes = b"",
        timeout: float = DEFAULT_SECONDS,
    ) -> Answer:
        """Send one request and return the answer, whatever its status; redirects are returned, not followed.

        `timeout` is in seconds for everything together. Raises ActionError: `blocked_address`, `invalid_url` (final),
        `connection_failed`, `connection_lost`, `deadline_exceeded` (retryable), `response_too_large`.
        """
        _refuse_in_transaction()
        target = parse_url(url, query)
        body = content if json is None else json_bytes(json)
        kind = {} if json is None else {"Content-Type": "application/json"}
        end = time.monotonic() + timeout
        end = end if self.deadline is None else min(end, self.deadline)
        request = _Request(
            method.upper(), target, _headers(method.upper(), target, {**kind, **(headers or {})}, body), body
        )
        return _exchange(request, GuardedBackend(end, self.resolver))


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON in UTF-8. Raises ValueError for NaN."""
    return json_module.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def _refuse_in_transaction() -> None:
    current = running.current()
    if current is not None and current.transactional:
        raise ActionError(
            "http_in_transaction",
            f"{current.action} is transactional: a request that was sent cannot be rolled back, and locks would wait "
            "for a stranger. Set transactional=False, or split it into two actions of a workflow",
            retryable=False,
        )


def parse_url(url: str, query: Mapping[str, Any] | None = None) -> httpx.URL:
    """Return the URL as it will be called. Raises ActionError `invalid_url`."""
    try:
        target = httpx.URL(url)
        target = target.copy_merge_params(dict(query)) if query else target
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        raise ActionError("invalid_url", f"not a URL: {error}", retryable=False) from None
    if target.scheme not in ("http", "https") or not target.host or target.userinfo:
        raise ActionError("invalid_url", "only http:// and https:// URLs without user name are called", retryable=False)
    return target


def _headers(method: str, target: httpx.URL, given: Mapping[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
    merged = {"user-agent": "dotdo", "accept": "*/*"} | {name.lower(): str(value) for name, value in given.items()}
    for name, value in merged.items():
        if name in OWN_HEADERS:
            raise ActionError("invalid_header", f"the header {name} is set by the client itself", retryable=False)
        if any(character in name + value for character in "\r\n\0"):
            raise ActionError("invalid_header", f"the header {name} contains a line break", retryable=False)
    merged["host"] = target.netloc.decode("ascii")
    merged["accept-encoding"] = "identity"
    if body or method in WITH_BODY:
        merged["content-length"] = str(len(body))
    try:
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in merged.items()]
    except UnicodeEncodeError:
        raise ActionError("invalid_header", "a header has characters beyond latin-1", retryable=False) from None


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    target: httpx.URL
    headers: list[tuple[bytes, bytes]]
    body: bytes


def _exchange(request: _Request, backend: GuardedBackend) -> Answer:
    target = request.target
    url = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path or b"/")
    content = request.body or None
    try:
        with (
            httpcore.ConnectionPool(ssl_context=tls_context(), network_backend=backend, retries=0) as pool,
            pool.stream(request.method, url, headers=request.headers, content=content) as answer,
        ):
            return _read(answer, backend.end)
    except ssl.SSLError as error:
        raise ActionError(
            "connection_failed", f"TLS with {target.host}: {error}", retryable=True, definite=True
        ) from None
    except httpcore.ConnectError as error:
        raise ActionError(
            "connection_failed", f"no connection to {target.host}: {error}", retryable=True, definite=True
        ) from None
    except httpcore.TimeoutException:
        raise _late(target.host, definite=not backend.sent) from None
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise ActionError(
            "connection_lost",
            f"the connection to {target.host} broke before the answer was complete: {error}",
            retryable=True,
            definite=not backend.sent,
        ) from None


def _late(host: str, definite: bool) -> ActionError:
    return ActionError("deadline_exceeded", f"{host} did not answer in time", retryable=True, definite=definite)


def _read(answer: httpcore.Response, end: float) -> Answer:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
    if headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise ActionError(
            "encoded_response",
            "the answer is compressed although identity was asked for",
            retryable=False,
            definite=False,
        )
    body = bytearray()
    for chunk in answer.iter_stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise ActionError(
                "response_too_large", f"the answer is larger than {MAX_BYTES} bytes", retryable=False, definite=False
            )
        if time.monotonic() > end:
            raise httpcore.ReadTimeout
    return Answer(answer.status, headers, bytes(body))


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")
