"""A real web server in a thread: it remembers what it was asked and answers as each path says."""

import contextlib
import gzip
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Request:
    """What arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Web:
    """The server's address and what it was asked."""

    port: int
    requests: list[Request] = field(default_factory=list)
    document: bytes = b""

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """Return a URL of this server."""
        return f"http://{host}:{self.port}{path}"


@contextlib.contextmanager
def serving() -> Iterator[Web]:
    """Serve on a free loopback port until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    web = Web(server.server_port)
    server.web = web  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        self.server.web.requests.append(request)  # type: ignore[attr-defined]
        name = self.path.split("?")[0].strip("/").split("/")[0]
        getattr(self, f"answer_{name}", self.answer_json)()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815 - names of http.server

    def log_message(self, *args: Any) -> None:
        """Stay quiet."""

    def reply(self, status: int, body: bytes = b"", kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def answer_json(self) -> None:
        self.reply(200, json.dumps({"path": self.path, "ok": True}).encode())

    def answer_status(self) -> None:
        """/status/<number>[/<retry-after>]"""
        _, number, *after = self.path.strip("/").split("/")
        headers = {"Retry_After": after[0].replace("%20", " ")} if after else {}
        self.reply(int(number), json.dumps({"message": "because"}).encode(), **headers)

    def answer_echo(self) -> None:
        """What was asked, as JSON; for /echo/binary as bytes without a type that is text."""
        request = self.server.web.requests[-1]  # type: ignore[attr-defined]
        said = {"headers": request.headers, "path": request.path, "body": request.body.decode()}
        kind = "application/octet-stream" if "binary" in self.path else "application/json"
        self.reply(400 if "refuse" in self.path else 200, json.dumps(said).encode(), kind)

    def answer_document(self) -> None:
        """What the test put there."""
        self.reply(200, self.server.web.document, "text/plain")  # type: ignore[attr-defined]

    def answer_text(self) -> None:
        self.reply(200, "héllo".encode("latin-1"), "text/plain; charset=iso-8859-1")

    def answer_binary(self) -> None:
        self.reply(200, b"\x00\xff", "application/octet-stream")

    def answer_empty(self) -> None:
        self.reply(204)

    def answer_broken(self) -> None:
        self.reply(200, b"{not json")

    def answer_refused(self) -> None:
        self.reply(200, json.dumps({"success": False, "error": "sold_out", "message": "none left"}).encode())

    def answer_redirect(self) -> None:
        self.reply(302, Location="http://169.254.169.254/latest/meta-data/")

    def answer_gzip(self) -> None:
        self.reply(200, gzip.compress(b"0" * 10_000_000), Content_Encoding="gzip")

    def answer_large(self) -> None:
        self.reply(200, b"0" * (1024 * 1024 + 1), "text/plain")

    def answer_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"0" * 65_536)

    def answer_drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        self._drip(b"0")

    def answer_drip_head(self) -> None:
        self._drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"0")

    def answer_silence(self) -> None:
        time.sleep(3)
        self.close_connection = True

    def answer_cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _drip(self, first: bytes, rest: bytes = b"0") -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(first)
            for _ in range(100):
                self.wfile.write(rest)
                self.wfile.flush()
                time.sleep(0.1)
        self.close_connection = True
