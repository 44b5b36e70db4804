"""A real SMTP server in a thread: it keeps what it accepted and refuses what it is told to."""

import contextlib
import email
import email.policy
import socketserver
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from threading import Thread


@dataclass
class Post:
    """The server's port, the mails it accepted, and its answers by command (`{"DATA": "451 later"}`)."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[list[str]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    hang_up_at: str = ""


@contextlib.contextmanager
def listening() -> Iterator[Post]:
    """Listen on a free loopback port until the block ends."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session)
    server.daemon_threads = True
    post = Post(server.server_address[1])
    server.post = post  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield post
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.post: Post = self.server.post  # type: ignore[attr-defined]
        self.recipients: list[str] = []
        if not self.answer("CONNECT", "220 post ready"):
            return
        for raw in self.rfile:
            line = raw.decode().strip()
            verb = line.split(" ")[0].split(":")[0].upper()
            if self.post.hang_up_at == verb or not getattr(self, f"on_{verb.lower()}", self.on_other)(line):
                return

    def answer(self, verb: str, default: str) -> bool:
        text = self.post.answers.get(verb, default)
        self.wfile.write(text.encode() + b"\r\n")
        return not text.startswith("421")

    def on_ehlo(self, line: str) -> bool:
        return self.answer("EHLO", "250 post")

    def on_rcpt(self, line: str) -> bool:
        verb = "RCPT" if not self.recipients else "RCPT2"
        self.recipients.append(line[line.index("<") + 1 : line.index(">")])
        return self.answer(verb, "250 ok")

    def on_data(self, line: str) -> bool:
        before = self.post.answers.get("BEFORE DATA", "354 go on")
        if not self.answer("BEFORE DATA", "354 go on") or not before.startswith("354"):
            return not before.startswith("421")
        body, ended = b"", False
        for raw in self.rfile:
            if raw == b".\r\n":
                ended = True
                break
            body += raw.removeprefix(b".") if raw.startswith(b"..") else raw
        if not ended:
            return False
        if self.post.hang_up_at == "AFTER DATA":
            return False
        if "DATA" not in self.post.answers:
            mail = email.message_from_bytes(body, policy=email.policy.default)
            self.post.mails.append(mail)
            self.post.envelopes.append(self.recipients)
        return self.answer("DATA", "250 queued")

    def on_quit(self, line: str) -> bool:
        self.answer("QUIT", "221 bye")
        return False

    def on_other(self, line: str) -> bool:
        return self.answer(line.split(" ", maxsplit=1)[0].upper(), "250 ok")
