"""How fast runs are started: through the Python API and over HTTP, one by one, in batches, again with a known key.

Nothing works on the runs meanwhile. Over HTTP it is one process of the web server, on its own connections that stay
open, and a few callers with a key each: the limit of requests is per key.
"""

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from itertools import count
from statistics import median

from bench import harness

WORKFLOW = "bench-noop-chain"
SECONDS, REPEATS, BATCH = 1.0, 3, 1_000
CALLERS, OF_A_KEY = 4, 1_000  # requests, before the next key is taken


@dataclass(frozen=True)
class Result:
    """Runs per second, medians."""

    python: float
    python_4: float
    batch: float
    repeat: float
    http: float
    http_batch: float


def measure(seconds: float = SECONDS) -> Result:
    """Measure all of them."""
    rate = partial(_rate, seconds)
    _start_known()
    with _web() as port:
        over_http = [_Caller(port) for _ in range(CALLERS)]
        return Result(
            python=rate([_start]),
            python_4=rate([_start] * 4),
            batch=rate([_start_batch]),
            repeat=rate([_start_known]),
            http=rate([caller.start for caller in over_http]),
            http_batch=rate([caller.start_batch for caller in over_http[:2]]),
        )


def _rate(seconds: float, starters: list[Callable[[], int]]) -> float:
    """Return how many runs a second the starters make, each in a thread; each returns how many it made."""

    def go_on(starter: Callable[[], int]) -> int:
        from django.db import connection

        made, until = 0, time.monotonic() + seconds
        try:
            starter()  # connects and prepares
            while time.monotonic() < until:
                made += starter()
        finally:
            connection.close()
        return made

    def once(pool: ThreadPoolExecutor) -> float:
        began = time.monotonic()
        made = sum(pool.map(go_on, starters))
        return made / (time.monotonic() - began)

    with ThreadPoolExecutor(len(starters)) as pool:
        return median(once(pool) for _ in range(REPEATS))


def _start() -> int:
    from workflows import operations

    key = secrets.token_hex(8)
    operations.start_workflow(WORKFLOW, {"n": 1}, actor="system", trigger="bench", key=key)
    return 1


def _start_known() -> int:
    from workflows import operations

    operations.start_workflow(WORKFLOW, {"n": 1}, actor="system", trigger="bench", key="known")
    return 1


def _start_batch() -> int:
    from workflows import operations

    word = secrets.token_hex(6)
    starts = [operations.Start("workflow", WORKFLOW, {"n": n}, key=f"{word}-{n}") for n in range(BATCH)]
    operations.start_many(starts, actor="system", trigger="bench")
    return BATCH


class _Caller:
    """Calls the API on one connection that stays open."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)
        self._sent, self._token = count(), ""

    def start(self) -> int:
        self._post("", {"input": {"n": 1}}, {"Idempotency-Key": secrets.token_hex(8)})
        return 1

    def start_batch(self) -> int:
        word = secrets.token_hex(6)
        self._post("/batch", {"runs": [{"input": {"n": n}, "key": f"{word}-{n}"} for n in range(BATCH)]}, {})
        return BATCH

    def _post(self, path: str, body: object, headers: dict[str, str]) -> None:
        if next(self._sent) % OF_A_KEY == 0:
            self._token = _token()
        headers |= {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self._connection.request("POST", f"/api/v1/workflows/{WORKFLOW}/runs{path}", json.dumps(body), headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status not in {200, 201}:
            raise RuntimeError(f"{answer.status}: {text[:500]!r}")


def _token() -> str:
    """Issue the key of an operator."""
    from django.contrib.auth.models import Group, User

    from dotdo_site.access import keys

    owner, _ = User.objects.get_or_create(username="bench")
    owner.groups.set(Group.objects.filter(name="Operator"))
    return keys.issue("bench", owner, ["start:workflow:bench-*"], actor="system")[1]


@contextmanager
def _web() -> Iterator[int]:
    """Run the web server as `make up` does, with one process."""
    from dotdo_site.launch import processes

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"DOTDO_WEB_WORKERS": "1", "DOTDO_LOG_LEVEL": "WARNING"}
    server = subprocess.Popen(processes.gunicorn(port, environment), env=environment, cwd=harness.ROOT)
    try:
        until = time.monotonic() + 60
        while not processes.answers_http(port) and time.monotonic() < until:
            time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait(60)


def show(result: Result) -> None:
    """Print what was measured."""
    print(f"starts through Python, 1 thread      {result.python:8.0f} /s, 4 threads {result.python_4:.0f} /s")
    print(f"  in batches of {BATCH:,}                {result.batch:8.0f} /s")
    print(f"  again with a known key             {result.repeat:8.0f} /s")
    print(f"starts through HTTP, 1 web process   {result.http:8.0f} /s")
    print(f"  in batches of {BATCH:,}                {result.http_batch:8.0f} /s")


if __name__ == "__main__":
    harness.prepare()
    show(measure())
