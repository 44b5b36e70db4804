"""A caller of the API as a careful program writes one: it repeats what was not answered, with the same key."""

import http.client
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

TIMEOUT_SECONDS = 10.0
KEPT_SECONDS = 1.0  # the server closes idle connections after two
TOO_MANY = 429
SERVER_ERROR = 500


@dataclass
class Answer:
    """A status and the JSON that came with it."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether it was taken."""
        return 200 <= self.status < 300


@dataclass
class Caller:
    """Calls one server with one key; `statuses` counts what came back, with 0 for no answer. One for each thread."""

    port: int
    key: str
    stop: threading.Event
    statuses: Counter[int] = field(default_factory=Counter)
    connection: http.client.HTTPConnection | None = None
    used_at: float = 0.0

    def until_answered(self, method: str, path: str, body: Any = None, **headers: str) -> Answer | None:
        """Repeat a request until it is answered with anything but 429 or a server error; None when told to stop."""
        while True:
            answer = self.once(method, path, body, **headers)
            if answer is not None and answer.status < SERVER_ERROR and answer.status != TOO_MANY:
                return answer
            if self.stop.wait(random.uniform(0.05, 0.3)):
                return None

    def once(self, method: str, path: str, body: Any = None, **headers: str) -> Answer | None:
        """Send a request once; None when no answer came."""
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if time.monotonic() - self.used_at > KEPT_SECONDS:
            self.close()
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
            self.connection.request(method, path, None if body is None else json.dumps(body), sent)
            response = self.connection.getresponse()
            text = response.read()
            self.used_at = time.monotonic()
        except (OSError, http.client.HTTPException):
            self.close()
            self.statuses[0] += 1
            return None
        self.statuses[response.status] += 1
        return Answer(response.status, json.loads(text) if text.strip() else None)

    def close(self) -> None:
        """Drop the connection."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
