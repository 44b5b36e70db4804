"""The stand-ins' mail side: a small SMTP listener (RFC 5321) that hands what it gets to the mailbox."""

import logging
import re
import socketserver
from collections.abc import Callable
from dataclasses import dataclass, field

from dotdo_site.demo.standins import mailbox
from dotdo_site.demo.standins.store import Store

HOST = "standins.localhost"
LONGEST_LINE = 2_000
LARGEST = 1024 * 1024
MOST_RECIPIENTS = 100
PATH = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>(?:\s.*)?", re.IGNORECASE)
Reply = tuple[int, str]
log = logging.getLogger("standins")


class Server(socketserver.ThreadingTCPServer):
    """Listens on loopback only."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, store: Store) -> None:
        super().__init__(("127.0.0.1", port), Session)
        self.store = store


class Gone(Exception):
    """The client has gone, or cannot be understood any more."""


@dataclass
class Envelope:
    """Who sends to whom; None before MAIL."""

    sender: str | None = None
    recipients: list[str] = field(default_factory=list)


class Session(socketserver.StreamRequestHandler):
    """One connection."""

    server: Server
    timeout = 60

    def handle(self) -> None:
        """Greet, then answer one command after the other."""
        self.greeted = False
        self.envelope = Envelope()
        commands: dict[str, Callable[[str], Reply]] = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": lambda _: (250, "2.0.0 fine"),
            "VRFY": lambda _: (252, "2.5.2 send it and see"),
        }
        try:
            self._reply(220, f"{HOST} ESMTP")
            while True:
                verb, _, rest = self._line().decode("utf-8", "replace").strip().partition(" ")
                if verb.upper() == "QUIT":
                    return self._reply(221, "2.0.0 bye")
                command = commands.get(verb.upper())
                self._reply(*(command(rest) if command else (500, "5.5.1 unknown command")))
        except (Gone, OSError):
            return None

    def _ehlo(self, _: str) -> Reply:
        self.greeted, self.envelope = True, Envelope()
        return 250, f"{HOST}\n8BITMIME\nPIPELINING\nSIZE {LARGEST}"

    def _helo(self, _: str) -> Reply:
        self.greeted, self.envelope = True, Envelope()
        return 250, HOST

    def _mail(self, rest: str) -> Reply:
        if not self.greeted or self.envelope.sender is not None:
            return 503, "5.5.1 say EHLO first, then MAIL once"
        match = PATH.fullmatch(rest)
        if match is None or not rest.upper().startswith("FROM"):
            return 501, "5.5.4 use MAIL FROM:<address>"
        self.envelope.sender = match[1]
        return 250, "2.1.0 sender noted"

    def _rcpt(self, rest: str) -> Reply:
        if self.envelope.sender is None:
            return 503, "5.5.1 MAIL comes first"
        match = PATH.fullmatch(rest)
        if match is None or not match[1] or not rest.upper().startswith("TO"):
            return 501, "5.5.4 use RCPT TO:<address>"
        if len(self.envelope.recipients) >= MOST_RECIPIENTS:
            return 452, "4.5.3 too many recipients"
        self.envelope.recipients.append(match[1])
        return 250, "2.1.5 recipient noted"

    def _data(self, _: str) -> Reply:
        if not self.envelope.recipients:
            return 503, "5.5.1 RCPT comes first"
        self._reply(354, "end with a dot on a line of its own")
        content = self._content()
        recipients, self.envelope = self.envelope.recipients, Envelope()
        if content is None:
            return 552, f"5.3.4 a mail has up to {LARGEST} bytes"
        verdict = mailbox.receive(self.server.store, recipients, content)
        log.info("mail: %s", verdict.said)
        return verdict.code, verdict.text

    def _rset(self, _: str) -> Reply:
        self.envelope = Envelope()
        return 250, "2.0.0 forgotten"

    def _content(self) -> bytes | None:
        """Read up to the dot, taking away the dots that were put before dots (§4.5.2); None when it is too large."""
        lines, size = [], 0
        while (line := self._line()) != b".\r\n":
            size += len(line)
            if size <= LARGEST:
                lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines) if size <= LARGEST else None

    def _line(self) -> bytes:
        line = self.rfile.readline(LONGEST_LINE + 1)
        if line.endswith(b"\n"):
            return line
        if len(line) > LONGEST_LINE:
            self._reply(500, "5.5.6 the line is too long")
        raise Gone

    def _reply(self, code: int, text: str) -> None:
        *first, last = text.split("\n")
        lines = [f"{code}-{part}" for part in first] + [f"{code} {last}"]
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
