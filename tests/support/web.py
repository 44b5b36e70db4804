"""A real web server for tests, and one request to it."""

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotdo_site.launch import processes
from tests.support.cluster import ROOT, stop, until


@dataclass(frozen=True)
class Answer:
    """What the server answered; status 0 when it did not."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@contextmanager
def web(log: Path, **environment: str) -> Iterator[int]:
    """Run gunicorn as `make up` does until the block ends; give its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with log.open("ab") as out:
        argv = processes.gunicorn(port, environment)
        process = subprocess.Popen(argv, env=os.environ | environment, cwd=ROOT, stdout=out, stderr=out)
        try:
            until(lambda: processes.answers_http(port), 60, "the web server")
            yield port
        finally:
            stop(process)


def ask(port: int, method: str, path: str, key: str = "", body: Any = None, **headers: str) -> Answer:
    """Send one request, a body as JSON; whoever gets no answer may repeat it."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"Content-Type": "application/json"}
    sent |= {"Authorization": f"Bearer {key}"} if key else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        response = connection.getresponse()
        text = response.read()
        is_json = "json" in response.getheader("Content-Type", "")
        return Answer(response.status, dict(response.getheaders()), json.loads(text) if is_json else None)
    except (OSError, http.client.HTTPException):
        return Answer(0)
    finally:
        connection.close()
