"""The mailbox behind the SMTP sink: it refuses every mail twice before it takes it, as servers that grey-list do."""

import hashlib
from dataclasses import dataclass
from email import message_from_bytes, policy
from http import HTTPStatus

from dotdo_site.demo.standins.answers import Answer, Request
from dotdo_site.demo.standins.store import Store

REFUSALS = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """The reply to a mail, and the line for the log."""

    code: int
    text: str
    said: str


def receive(store: Store, recipients: list[str], data: bytes) -> Verdict:
    """Refuse the first two attempts at a Message-ID, keep the mail at the third; later copies are the same mail."""
    message = message_from_bytes(data, policy=policy.default)
    digest = hashlib.sha256(data).hexdigest()
    name = str(message.get("Message-ID", "")) or f"<{digest}@no-message-id>"
    to, subject = ", ".join(recipients), str(message.get("Subject", ""))
    with store.transaction() as database:
        database.execute("INSERT INTO mail VALUES (?, ?, ?, 0, 0) ON CONFLICT DO NOTHING", [name, to, subject])
        refused, received = database.execute(
            "SELECT refused, received FROM mail WHERE message_id = ?", [name]
        ).fetchone()
        if refused < REFUSALS:
            database.execute("UPDATE mail SET refused = refused + 1 WHERE message_id = ?", [name])
            said = f"refused the mail to {to} for now ({refused + 1} of {REFUSALS})"
            return Verdict(451, "4.7.1 not now, try again later", said)
        database.execute("UPDATE mail SET received = received + 1 WHERE message_id = ?", [name])
        (store.mail / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.eml").write_bytes(data)
    said = "received again, the same mail" if received else "received the mail"
    return Verdict(250, "2.0.0 kept", f"{said} to {to}: {subject}")


def mails(store: Store, request: Request) -> Answer:
    """List the mails, all or those to `?to=`: how often each was refused and received."""
    with store.transaction() as database:
        rows = database.execute(
            "SELECT * FROM mail WHERE ? IN ('', recipients) ORDER BY rowid", [request.query.get("to", "")]
        ).fetchall()
    return Answer(HTTPStatus.OK, [dict(row) for row in rows])
