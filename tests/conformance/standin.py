"""The two hosts that the conformance features call, answered on loopback: petstore.swagger.io and httpbin.org.

Names lead to loopback only because the allow-list names them and because the two hooks below answer for DNS and for
port 443; the guard checks every connection as always, and TLS is verified against a certificate made for the test.
"""

import base64
import contextlib
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django.fixtures import Settings

from actions.handlers import guard, reach

HOSTS = ("petstore.swagger.io", "httpbin.org")
PETS = {
    "1": {"id": 1, "name": "Milou", "status": "available"},
    "2": {"id": 2, "name": "Idefix", "status": "available"},
    "3": {"id": 3, "name": "Rantanplan", "status": "sold"},
}
PARAMETERS = {
    "status": {"name": "status", "in": "query", "required": True, "type": "array", "collectionFormat": "multi"},
    "petId": {"name": "petId", "in": "path", "required": True, "type": "integer"},
    "body": {"name": "body", "in": "body", "required": True, "schema": {"type": "object"}},
}
# what an answer of httpbin has that is not JSON: its type and its bytes
PLAIN = {
    "text": ("text/plain; charset=utf-8", "héllo".encode()),
    "bytes": ("application/octet-stream", b"\x00\xff"),
    "broken": ("application/json", b"{not json"),
}
SWAGGER = {
    "swagger": "2.0",
    "info": {"title": "Petstore", "version": "1.0.0"},
    "host": "petstore.swagger.io",
    "basePath": "/v2",
    "schemes": ["https", "http"],
    "paths": {
        "/pet/findByStatus": {"get": {"operationId": "findPetsByStatus", "parameters": [PARAMETERS["status"]]}},
        "/pet/{petId}": {"get": {"operationId": "getPetById", "parameters": [PARAMETERS["petId"]]}},
        "/pet": {"post": {"operationId": "addPet", "parameters": [PARAMETERS["body"]]}},
    },
}
OPENAPI = {
    "openapi": "3.0.3",
    "info": {"title": "Petstore", "version": "1.0.0"},
    "servers": [{"url": "https://petstore.swagger.io/v2"}],
    "paths": {
        "/pet/{petId}": {
            "parameters": [{"name": "petId", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {"operationId": "getPetById"},
        },
        "/pet": {"post": {"operationId": "addPet", "requestBody": {"content": {"application/json": {}}}}},
    },
}


@dataclass
class Standin:
    """The port that answers for the hosts, and what it was asked: method, host and path."""

    port: int
    requests: list[tuple[str, str, str]] = field(default_factory=list)


@pytest.fixture(scope="session")
def standin_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Standin, ssl.SSLContext]]:
    """Serve for the whole session; yield the stand-in and the TLS settings that trust it."""
    certificate = _certificate(tmp_path_factory.mktemp("standin"))
    with _serving(certificate) as standin:
        yield standin, ssl.create_default_context(cafile=certificate)


@pytest.fixture
def standin(
    standin_server: tuple[Standin, ssl.SSLContext], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Standin:
    """Let the two hosts, and nothing else, lead to the stand-in."""
    server, trust = standin_server
    resolve, connect = reach.resolve, httpcore.SyncBackend.connect_tcp

    def resolve_here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"] if host in HOSTS else resolve(host, port)

    def connect_here(self: Any, host: str, port: int, *rest: Any, **more: Any) -> Any:
        here = server.port if (host, port) == ("127.0.0.1", 443) else port
        return connect(self, host, here, *rest, **more)

    settings.OUTGOING_ALLOW = [f"{host}:443" for host in HOSTS]
    monkeypatch.setattr(reach, "resolve", resolve_here)
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect_here)
    monkeypatch.setattr(guard, "tls_context", lambda: trust)
    server.requests.clear()
    return server


@contextlib.contextmanager
def _serving(certificate: Path) -> Iterator[Standin]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    standin = Standin(server.server_port)
    server.standin = standin  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url, host = urlsplit(self.path), self.headers["Host"]
        self.server.standin.requests.append((self.command, host, self.path))  # type: ignore[attr-defined]
        answer = self._petstore if host == "petstore.swagger.io" else self._httpbin
        self._reply(*answer(url.path, parse_qs(url.query)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.standin.requests.append(("POST", self.headers["Host"], self.path))  # type: ignore[attr-defined]
        sent = json.loads(body) if body else None
        self._reply(200, {"json": sent, "headers": {name.lower(): value for name, value in self.headers.items()}})

    def log_message(self, *args: Any) -> None:
        """Stay quiet."""

    def _petstore(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        if path in ("/v2/swagger.json", "/v3/openapi.json"):
            return 200, SWAGGER if path == "/v2/swagger.json" else OPENAPI
        if path == "/v2/pet/findByStatus":
            return 200, [pet for pet in PETS.values() if pet["status"] in query.get("status", [])]
        pet = PETS.get(path.removeprefix("/v2/pet/"))
        return (200, pet) if pet else (404, {"code": 404, "type": "unknown", "message": "Pet not found"})

    def _httpbin(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        head, *rest = path.strip("/").split("/")
        if head == "basic-auth" and len(rest) == 2:
            user, password = map(unquote, rest)
            wanted = base64.b64encode(f"{user}:{password}".encode()).decode()
            good = self.headers.get("Authorization") == f"Basic {wanted}"
            return (200, {"authenticated": True, "user": user}) if good else (401, None)
        if head == "bearer":
            given = self.headers.get("Authorization", "").removeprefix("Bearer ")
            return (200, {"authenticated": True, "token": given}) if given else (401, None)
        if head == "status" and rest:
            return int(rest[0]), None
        if head in PLAIN:
            return 200, PLAIN[head]
        if head == "anything":
            headers = {name.lower(): value for name, value in self.headers.items()}
            return 200, {"path": self.path, "args": query, "headers": headers}
        return 404, {"message": "there is no such route"}

    def _reply(self, status: int, value: Any) -> None:
        kind, body = value if isinstance(value, tuple) else ("application/json", _encoded(value))
        self.send_response(status)
        if status in range(300, 400):
            self.send_header("Location", "https://httpbin.org/anything/elsewhere")
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="Standin"')
        if body:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _encoded(value: Any) -> bytes:
    return b"" if value is None else json.dumps(value).encode()


def _certificate(folder: Path) -> Path:
    """Write a self-signed certificate for the hosts, and its key, into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "standin.pem"
    file.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return file
