"""Bodies in chunks, without a length, over a real gunicorn and a real socket: never taken for empty ones."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler

from dotdo_site.launch import processes
from dotdo_site.lib.measured import Measured
from tests.conftest import ROOT
from tests.integration.api.conftest import Caller
from tests.support.pages import served
from workflows.models import Run

pytestmark = pytest.mark.usefixtures("handlers")
START = "/api/v1/actions/test-echo/runs"
Send = Callable[..., tuple[int, str]]


@pytest.fixture
def port(handlers: None, tmp_path: Path) -> Iterator[int]:
    """Run the web server as an installation runs it."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with (tmp_path / "log").open("wb") as log:
        command = processes.gunicorn(port, {"DOTDO_WEB_WORKERS": "1"})
        web = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 30
            while not processes.answers_http(port):
                assert time.monotonic() < until, (tmp_path / "log").read_text()
                time.sleep(0.1)
            yield port
        finally:
            web.terminate()
            web.wait(20)


@pytest.fixture
def send(port: int, api: Caller) -> Send:
    """Send raw bytes after the headers of a chunked request."""
    key = api.client.defaults["HTTP_AUTHORIZATION"]

    def send(raw: bytes, path: str = START, kind: str = "application/json") -> tuple[int, str]:
        return exchange(port, raw, path, kind, f"Authorization: {key}\r\n")

    return send


def exchange(port: int, raw: bytes, path: str, kind: str, extra: str = "") -> tuple[int, str]:
    """Return the status and everything after it."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{extra}Content-Type: {kind}\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + raw)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server may refuse before it has read everything
        with connection.makefile("rb") as answer:
            text = answer.read().decode()
    return int(text.split(" ", 2)[1]), text


def chunked(body: bytes, size: int = 7) -> bytes:
    """Frame a body in chunks of so many bytes."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def test_a_chunked_body_is_the_input_of_the_run(send: Send) -> None:
    status, text = send(chunked(json.dumps({"input": {"value": "Ada"}}).encode()))
    assert status == 201, text
    assert Run.objects.get().input == {"value": "Ada"}


def test_a_chunked_body_over_the_limit_is_refused_and_starts_nothing(send: Send) -> None:
    body: Any = {"input": {"value": "x" * 2_000_000}}
    status, text = send(chunked(json.dumps(body).encode(), 60_000))
    assert status == 413, text
    assert '"/problems/body-too-large"' in text
    assert not Run.objects.exists()


def test_a_chunked_body_that_is_cut_off_or_broken_starts_nothing(send: Send) -> None:
    whole = chunked(json.dumps({"input": {"value": 1}}).encode())
    for raw in (whole[:20], b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}"):
        status, text = send(raw)
        assert status == 400, text
    assert not Run.objects.exists()


def test_a_chunked_form_is_read_like_any_other(port: int) -> None:
    head = exchange(port, chunked(b""), "/sign-in/", "application/x-www-form-urlencoded")
    assert head[0] == 403, "no CSRF token at all"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"GET /sign-in/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        page = connection.makefile("rb").read().decode()
    cookie = re.search(r"csrftoken=(\w+)", page)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert cookie
    assert token
    form = f"csrfmiddlewaretoken={token[1]}&username=ada-in-chunks&password=wrong".encode()
    cookies = f"Cookie: csrftoken={cookie[1]}\r\n"
    status, text = exchange(port, chunked(form), "/sign-in/", "application/x-www-form-urlencoded", cookies)
    assert status == 200, text
    assert "ada-in-chunks" in text


def test_a_server_that_cannot_read_chunks_asks_for_the_length() -> None:
    with served(Measured(WSGIHandler(), 1_000)) as url:
        status, text = exchange(int(url.rpartition(":")[2]), chunked(b"{}"), START, "application/json")
    assert status == 411, text
