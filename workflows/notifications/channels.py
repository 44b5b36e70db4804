"""Hand a message over, by mail or to a webhook. No database here: it may take long, and fail in every way."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Any

from django.conf import settings

from actions.errors import ActionError
from actions.handlers import answers, email, guard
from actions.limits import storable
from dotdo_site.lib import canonical
from workflows import signatures

WEBHOOK_SECONDS = 15.0
MAIL_SECONDS = 10.0  # for each answer of the mail server
WHOLE_MAIL_SECONDS = 30.0
GONE = 410
LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message as it is sent: `id` is the same for all attempts, `secrets` sign a webhook."""

    id: str
    channel: str
    address: str
    content: dict[str, Any]
    secrets: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an attempt: an empty error means that the receiver has it. `final`: another try is useless."""

    error: str = ""
    retry_after: float | None = None
    final: bool = False
    gone: bool = False


def send(parcel: Parcel) -> Answer:
    """Make one attempt; every failure is a value."""
    try:
        return _mail(parcel) if parcel.channel == "email" else _post(parcel)
    except ActionError as error:
        # a wrong password, or a server that wants nobody, is repaired for all mails
        final = isinstance(error, email.MailRefused) and error.code.startswith("smtp_5")
        return Answer(error=_said(error.code, error.message), final=final)
    except Exception as error:  # noqa: BLE001 - one message must not stop the others
        return Answer(error=_said(type(error).__name__, error))


def _said(name: str, words: object) -> str:
    """Return an error as it can be stored, whatever the other side has said."""
    return storable(f"{name}: {words}"[:LONGEST_ERROR])


def _mail(parcel: Parcel) -> Answer:
    message = EmailMessage(policy=email.POLICY)
    message["From"], message["To"] = settings.DEFAULT_FROM_EMAIL, parcel.address
    message["Subject"] = parcel.content["subject"]
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{parcel.id}@{parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(parcel.content["text"])
    timeout = min(settings.EMAIL_TIMEOUT or MAIL_SECONDS, MAIL_SECONDS)
    email.deliver(message, [parcel.address], timeout, whole=WHOLE_MAIL_SECONDS)
    return Answer()


def _post(parcel: Parcel) -> Answer:
    """Send what Standard Webhooks 1.0 asks for; anything but 2xx is a failure, redirects are not followed."""
    if not signatures.usable("standard", parcel.secrets):
        return Answer(error="its connection has no secret that can be read: set it, in the form whsec_ and then base64")
    body = canonical.dumps(parcel.content["payload"]).encode()  # stored JSON comes back in another order
    headers = signatures.signed(parcel.secrets, parcel.id, int(time.time()), body)
    client = guard.GuardedClient()
    answer = client.request(
        "POST",
        parcel.address,
        content=body,
        headers={"Content-Type": "application/json", **headers},
        timeout=WEBHOOK_SECONDS,
    )
    if 200 <= answer.status < 300:
        return Answer()
    return Answer(
        error=f"the receiver answered {answer.status}",
        retry_after=answers.retry_after(answer.headers),
        gone=answer.status == GONE,
    )
