"""The stand-ins' HTTP side: a table of routes over `http.server`."""

import json
import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dotdo_site.demo.standins import billing, crm, mailbox, payments, reports, warehouse
from dotdo_site.demo.standins.answers import Answer, Request, refused
from dotdo_site.demo.standins.store import Store

LARGEST = 64 * 1024
Route = Callable[[Store, Request], Answer]
ROUTES: dict[tuple[str, str], Route] = {
    ("POST", r"/payments/charges"): payments.charge,
    ("GET", r"/payments/charges"): payments.charges,
    ("POST", r"/payments/refunds"): payments.refund,
    ("GET", r"/payments/refunds"): payments.refunds,
    ("POST", r"/warehouse/reservations"): warehouse.reserve,
    ("GET", r"/warehouse/reservations"): warehouse.reservations,
    ("POST", r"/warehouse/releases"): warehouse.release,
    ("GET", r"/warehouse/releases"): warehouse.releases,
    ("POST", r"/warehouse/shipments"): warehouse.ship,
    ("POST", r"/reports"): reports.start,
    ("GET", r"/reports/([^/]+)"): reports.look,
    ("GET", r"/billing/customers"): billing.customers,
    ("POST", r"/billing/invoices"): billing.invoice,
    ("GET", r"/billing/invoices"): billing.invoices,
    ("PATCH", r"/crm/records/([^/]+)"): crm.update,
    ("GET", r"/crm/records/([^/]+)"): crm.record,
    ("GET", r"/mail"): mailbox.mails,
}
log = logging.getLogger("standins")


class Server(ThreadingHTTPServer):
    """Listens on loopback only."""

    daemon_threads = True

    def __init__(self, port: int, store: Store) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.store = store


class Handler(BaseHTTPRequestHandler):
    """Reads a request, calls its route, writes the answer as JSON."""

    server: Server
    server_version = "standins"
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Say nothing about requests as such: what they did is said."""

    def _serve(self) -> None:
        answer = self._answer()
        if answer.said:
            log.info("%s %s: %s", self.command, urlsplit(self.path).path.split("/")[1], answer.said)
        content = json.dumps(answer.content).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self) -> Answer:
        parts = urlsplit(self.path)
        for (method, pattern), route in ROUTES.items():
            if method == self.command and (match := re.fullmatch(pattern, parts.path)):
                return self._call(route, "".join(match.groups()), parts.query)
        self.close_connection = True  # a body, if any, was not read
        known = [f"{method} {pattern}" for method, pattern in ROUTES]
        return Answer(HTTPStatus.NOT_FOUND, {"error": "unknown_path", "message": f"known: {', '.join(known)}"})

    def _call(self, route: Route, name: str, query: str) -> Answer:
        try:
            body = self._body()
        except ValueError as error:
            self.close_connection = True
            return refused(HTTPStatus.BAD_REQUEST, "bad_request", str(error))
        key = self.headers.get("Idempotency-Key", "")
        return route(self.server.store, Request(unquote(name), dict(parse_qsl(query)), key, body))

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length", "0"))
        if not 0 <= length <= LARGEST:
            raise ValueError(f"a body has up to {LARGEST} bytes")
        body = json.loads(self.rfile.read(length)) if length else {}
        if not isinstance(body, dict):
            raise ValueError("the body is not a JSON object")  # noqa: TRY004 - one kind of error for one answer
        return body
