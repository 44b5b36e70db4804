"""Actions that are one e-mail. The configuration:

    to, cc       address or list of addresses, with "{{ path }}"      subject   text with "{{ path }}"
    text, html   the bodies, at least one; values are escaped in html  from, reply_to   address

The Message-ID comes from the idempotency key: a retry is the same mail, and receivers that saw it can tell.
"""

import hashlib
import smtplib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, formatdate, getaddresses, parseaddr
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail.utils import DNS_NAME
from django.core.validators import validate_email

from actions.context import Context
from actions.errors import ActionError
from actions.handlers import guard, reach, templates
from actions.problems import Problem, pointer

OUTSIDE = True
KEYS = frozenset(["to", "cc", "subject", "text", "html", "from", "reply_to"])
MAX_RECIPIENTS = 50
# Plain 7 bit: not every server takes 8BITMIME.
POLICY = SMTP.clone(cte_type="7bit")


def check(config: Any) -> list[Problem]:
    """Return everything that is wrong with a configuration."""
    if not isinstance(config, dict):
        return [Problem("", "config", "is not an object")]
    unknown = [
        Problem(pointer([key]), "config", "is not a setting of e-mail actions") for key in sorted(set(config) - KEYS)
    ]
    return [*unknown, *_check_parts(config), *templates.check({key: config[key] for key in KEYS & set(config)})]


def run(ctx: Context, config: dict[str, Any], value: Any) -> Any:
    """Send the mail; return `{message_id, recipients}`. All recipients get it or none. Raises ActionError."""
    message, recipients = _compose(ctx, config, value)
    timeout = min(settings.EMAIL_TIMEOUT or guard.DEFAULT_SECONDS, max(0.1, ctx.remaining()))
    deliver(message, recipients, timeout)
    return {"message_id": str(message["Message-ID"]), "recipients": recipients}


def destination(config: dict[str, Any]) -> str:
    """Return the mail server, for secrets: what is in a mail is sent there."""
    del config  # there is one for all
    return str(settings.EMAIL_HOST)


def _check_parts(config: Mapping[str, Any]) -> Iterator[Problem]:
    for key in ("to", "subject"):
        if not config.get(key):
            yield Problem(f"/{key}", "config", "is required")
    if not config.get("text") and not config.get("html"):
        yield Problem("/text", "config", "is required, or html")
    for key in KEYS & set(config):
        part = config[key]
        many = key in ("to", "cc") and isinstance(part, list) and all(isinstance(one, str) for one in part)
        if not isinstance(part, str) and not many:
            yield Problem(
                f"/{key}", "config", "must be a text" + (" or a list of texts" if key in ("to", "cc") else "")
            )


def _compose(ctx: Context, config: Mapping[str, Any], value: Any) -> tuple[EmailMessage, list[str]]:
    message = EmailMessage(policy=POLICY)
    sender = _addresses("from", config.get("from", settings.DEFAULT_FROM_EMAIL), value)[0]
    to, copies = _addresses("to", config["to"], value), _addresses("cc", config.get("cc", []), value)
    if not 0 < len(to) + len(copies) <= MAX_RECIPIENTS:
        raise ActionError("invalid_address", f"a mail has 1 to {MAX_RECIPIENTS} recipients", retryable=False)
    try:
        message["From"], message["To"] = sender, ", ".join(to)
        if copies:
            message["Cc"] = ", ".join(copies)
        if "reply_to" in config:
            message["Reply-To"] = ", ".join(_addresses("reply_to", config["reply_to"], value))
        message["Subject"] = _header("subject", templates.render(config["subject"], value))
        message["Date"] = formatdate()
        message["Message-ID"] = message_id(ctx.idempotency_key, sender)
        _set_bodies(message, config, value)
    except (MessageError, ValueError) as error:
        raise ActionError("invalid_header", f"the mail cannot be written: {error}", retryable=False) from None
    return message, [parseaddr(one)[1] for one in [*to, *copies]]


def message_id(idempotency_key: str, sender: str) -> str:
    """Return the Message-ID that all attempts of one step share."""
    domain = parseaddr(sender)[1].rpartition("@")[2]
    return f"<{hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]}@{domain}>"


def _set_bodies(message: EmailMessage, config: Mapping[str, Any], value: Any) -> None:
    if "text" in config:
        message.set_content(templates.render(config["text"], value))
    if "html" not in config:
        return
    body = templates.render_html(config["html"], value)
    if "text" in config:
        message.add_alternative(body, subtype="html")
    else:
        message.set_content(body, subtype="html")


def _addresses(name: str, given: Any, value: Any) -> list[str]:
    """Return rendered addresses; one text is exactly one address, so that data cannot add recipients."""
    rendered = templates.render_value(given, value)
    found = rendered if isinstance(rendered, list) else [rendered]
    return [_address(name, one) for part in found for one in (part if isinstance(part, list) else [part])]


def _address(name: str, text: Any) -> str:
    parsed = getaddresses([_header(name, text)]) if isinstance(text, str) else []
    if len(parsed) != 1 or not _is_address(parsed[0][1]):
        raise ActionError("invalid_address", f"{name}: the value is not one e-mail address", retryable=False)
    return formataddr(parsed[0])


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return text.isascii()


def _header(name: str, text: str) -> str:
    if any(character in text for character in "\r\n\0"):
        raise ActionError("invalid_header", f"{name} contains a line break", retryable=False)
    return text


class MailRefused(ActionError):
    """The server takes mails, but not this one: what it said is about the recipient or the text."""


class _Smtp(smtplib.SMTP):
    """An SMTP connection to a checked address, broken off when `limit` is over."""

    def __init__(self, limit: "_Limit", timeout: float) -> None:
        self.limit = limit
        super().__init__(settings.EMAIL_HOST, settings.EMAIL_PORT, DNS_NAME.get_fqdn(), timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = reach.open_socket(host, port, timeout, reach.MAIL_PORTS)
        self.limit.watch(plain)
        use_ssl = getattr(settings, "EMAIL_USE_SSL", False)
        return reach.tls_context().wrap_socket(plain, server_hostname=host) if use_ssl else plain


class _Limit:
    """Breaks a connection off after a time, whatever is being waited for; a silent server can delay each answer."""

    def __init__(self, seconds: float | None) -> None:
        self.end = None if seconds is None else time.monotonic() + seconds
        self.timer: threading.Timer | None = None
        self.spare: socket.socket | None = None

    def watch(self, plain: socket.socket) -> None:
        """Begin with a connection. The copy still leads to it when TLS has taken the original over."""
        if self.end is None:
            return
        self.spare = plain.dup()
        self.timer = threading.Timer(max(0.0, self.end - time.monotonic()), self._break_off)
        self.timer.daemon = True
        self.timer.start()

    def over(self) -> None:
        """Leave the connection alone."""
        if self.timer is not None and self.spare is not None:
            self.timer.cancel()
            self.spare.close()

    def _break_off(self) -> None:
        with suppress(OSError):
            if self.spare is not None:
                self.spare.shutdown(socket.SHUT_RDWR)


def deliver(message: EmailMessage, recipients: list[str], timeout: float, whole: float | None = None) -> None:
    """Hand the mail over, with `timeout` seconds for each answer and `whole` for all of them.

    Until the text itself is sent nothing can have happened; while it is, nobody knows.
    """
    addressed = handed_over = False
    smtp = None
    limit = _Limit(whole)
    try:
        smtp = _Smtp(limit, timeout)
        _prepare(smtp)
        _expect(smtp.mail(parseaddr(message["From"])[1]))
        addressed = True
        for recipient in recipients:
            _expect(smtp.rcpt(recipient))
        handed_over = True
        _expect(smtp.data(message.as_bytes()))
    except smtplib.SMTPResponseException as error:
        raise _refused(error.smtp_code, error.smtp_error, MailRefused if addressed else ActionError) from None
    except smtplib.SMTPNotSupportedError as error:
        raise ActionError("smtp_unsupported", str(error), retryable=False) from None
    except (OSError, smtplib.SMTPException) as error:
        raise ActionError(
            "connection_lost" if handed_over else "connection_failed",
            f"SMTP with {settings.EMAIL_HOST}:{settings.EMAIL_PORT}: {error or type(error).__name__}",
            retryable=True,
            definite=not handed_over,
        ) from None
    finally:
        if smtp is not None:
            _say_goodbye(smtp)
        limit.over()


def _say_goodbye(smtp: smtplib.SMTP) -> None:
    """Send QUIT without waiting: the outcome is known, and a silent server must not change it."""
    with suppress(OSError, smtplib.SMTPException):
        smtp.putcmd("quit")
    smtp.close()


def _prepare(smtp: smtplib.SMTP) -> None:
    if settings.EMAIL_USE_TLS:
        smtp.starttls(context=reach.tls_context())
    if settings.EMAIL_HOST_USER:
        smtp.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
    else:
        smtp.ehlo_or_helo_if_needed()


def _expect(reply: tuple[int, bytes]) -> None:
    if reply[0] not in (250, 251):
        raise smtplib.SMTPResponseException(*reply)


def _refused(code: int, text: Any, kind: type[ActionError]) -> ActionError:
    """4xx asks for another try (RFC 5321 §4.2.1), 5xx is final; either way nobody got the mail."""
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    temporary = code // 100 == 4
    name = f"smtp_{code}" if code > 0 else "smtp_garbage"
    return kind(name, f"the mail server answered {code} {said}", retryable=temporary or code <= 0, definite=code > 0)
