"""dotdo as an integration sees it: over HTTP with an API key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

Json = dict[str, Any]
TIMEOUT_SECONDS = 20.0


class Unexpected(Exception):
    """The story cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Started:
    """The answer to a start."""

    run: Json
    status: int
    replayed: bool


class Api:
    """The few calls that the story makes. All raise Unexpected."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(
            base_url=f"{url}/api/v1/",
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )

    def start(self, name: str, value: Mapping[str, Any], *, key: str, title: str) -> Started:
        """Start a workflow; 422 is an answer, too: the key belongs to another request."""
        answer = self._send(
            "POST",
            f"workflows/{name}/runs",
            json={"input": value, "title": title, "tags": ["demo"]},
            headers={"Idempotency-Key": key},
            expected=(200, 201, 422),
        )
        return Started(answer.json(), answer.status_code, answer.headers.get("Idempotent-Replayed") == "true")

    def get(self, path: str) -> Any:
        """Return what is at a path."""
        return self._send("GET", path, expected=(200,)).json()

    def entry(self, namespace: str, key: str) -> Json | None:
        """Return a datastore entry, None while there is none."""
        answer = self._send("GET", f"datastore/{namespace}/{key}", expected=(200, 404))
        return answer.json() if answer.status_code == 200 else None

    def retry(self, run_id: str, reason: str) -> None:
        """Retry a failed run from the failed step."""
        self._send("POST", f"runs/{run_id}/retries", json={"reason": reason}, expected=(200,))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _send(self, method: str, path: str, *, expected: tuple[int, ...], **more: Any) -> httpx.Response:
        answer = fetch(self._client, method, path, **more)
        if answer.status_code not in expected:
            raise Unexpected(f"{method} {answer.request.url.path} answered {answer.status_code}: {_detail(answer)}")
        return answer


class World:
    """The stand-ins, asked what really happened outside."""

    def __init__(self, http_port: int) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{http_port}", timeout=5, trust_env=False)

    def charges(self, customer: str) -> list[Json]:
        """Return the charges of a customer."""
        return self._ask("/payments/charges", {"customer": customer})

    def mails(self, to: str) -> list[Json]:
        """Return the mails to somebody, with how often each was refused."""
        return self._ask("/mail", {"to": to})

    def record(self, name: str) -> Json:
        """Return the CRM record; an object with `error` where there is none."""
        found: Json = fetch(self._client, "GET", f"/crm/records/{name}").json()
        return found

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, path: str, query: Mapping[str, str]) -> list[Json]:
        found: list[Json] = fetch(self._client, "GET", path, params=query).json()
        return found


def fetch(client: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:
    """Send a request. Raises Unexpected when nobody answers."""
    try:
        return client.request(method, path, **more)
    except httpx.TransportError as error:
        raise Unexpected(
            f"nobody answers at {client.base_url} ({error}): start dotdo in another terminal with `make up`"
        ) from None


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("detail", answer.text))
    except (ValueError, AttributeError):
        return answer.text[:300]
