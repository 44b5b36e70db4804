"""Send what is due: claim a few messages, hand them over beside each other, record what became of each.

A message is claimed under a lease with a fencing number, so that two hosts do not send it twice; a process that dies in
between leaves a lease that ends, and the message is sent again under the same id. No transaction is open meanwhile.
"""

import logging
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import transaction

from actions.models import Connection
from dotdo_site.lib.database_errors import is_outage
from workflows.models import Notice, Notification
from workflows.notifications import channels, retrying, words
from workflows.notifications.channels import Answer, Parcel
from workflows.notifications.kinds import TEST
from workflows.notifications.remaining import remaining
from workflows.operations.endpoints import secrets_of
from workflows.sql import Statement

log = logging.getLogger(__name__)
BATCH = 16
EACH = 4  # of a round, to one address
SLOW_SECONDS = 5.0  # an attempt that took longer holds up the others of its round
LEFT_ALONE_SECONDS = 60.0
LEASE_SECONDS = 45.0  # longer than an attempt can take
_DUE = Statement(
    """
    SELECT EXISTS (SELECT 1 FROM notification
        WHERE state = 'waiting' AND due_at <= now() AND (lease_expires_at IS NULL OR lease_expires_at < now()))
    """
)
# An address gets a part of each round and so does a channel: a receiver that hangs, or a mail server, stops no other.
_CLAIM = Statement(
    """
    WITH due AS MATERIALIZED (
        SELECT id, channel, due_at, row_number() OVER (PARTITION BY channel, address ORDER BY due_at) AS place FROM (
            SELECT * FROM notification
            WHERE state = 'waiting' AND due_at <= now() AND (lease_expires_at IS NULL OR lease_expires_at < now())
                AND address <> ALL(:slow::text[])
            ORDER BY due_at LIMIT 10000) oldest),
    chosen AS MATERIALIZED (
        SELECT id, row_number() OVER (PARTITION BY channel ORDER BY due_at) AS place FROM due WHERE place <= :each)
    UPDATE notification SET attempts = attempts + 1, claim = claim + 1,
        lease_expires_at = clock_timestamp() + make_interval(secs => :lease::float8)
    WHERE id IN (
        SELECT n.id FROM notification n JOIN chosen c ON c.id = n.id
        WHERE c.place * 2 <= :limit
            AND n.state = 'waiting' AND (n.lease_expires_at IS NULL OR n.lease_expires_at < now())
        FOR NO KEY UPDATE OF n SKIP LOCKED)
    RETURNING id
    """
)
_AGAIN = Statement(
    """
    UPDATE notification SET lease_expires_at = NULL, error = :error,
        due_at = clock_timestamp() + make_interval(secs => :wait::float8)
    WHERE id = :id AND claim = :claim AND state = 'waiting' RETURNING id
    """
)
_END = Statement(
    """
    UPDATE notification SET lease_expires_at = NULL, error = :error, state = :state::text, content = '{}',
        ended_at = clock_timestamp()
    WHERE id = :id AND claim = :claim AND state = 'waiting' RETURNING id
    """
)
_CLOSED = Statement(
    """
    UPDATE notification SET state = 'gone', error = :error, content = '{}', ended_at = clock_timestamp()
    WHERE channel = 'webhook' AND address = :address AND state = 'waiting' AND lease_expires_at IS NULL
    """
)


_slow: dict[str, float] = {}  # until when this process leaves an address alone


def send_due() -> int:
    """Send a few of the messages that are due; return how many were claimed."""
    if not _DUE.rows()[0][0]:  # an idle installation writes nothing
        return 0
    ids = [row[0] for row in _CLAIM.rows({"lease": LEASE_SECONDS, "limit": BATCH, "each": EACH, "slow": _left_alone()})]
    claimed = list(Notification.objects.filter(pk__in=ids).order_by("due_at"))
    parcels = [(message, parcel) for message in claimed if (parcel := _pack(message)) is not None]
    if parcels:
        with ThreadPoolExecutor(len(parcels)) as pool:
            answers = pool.map(_attempt, [parcel for _, parcel in parcels])
            for (message, _), answer in zip(parcels, answers, strict=True):
                _record(message, answer)
    return len(claimed)


def _attempt(parcel: Parcel) -> Answer:
    began = time.monotonic()
    answer = channels.send(parcel)
    if time.monotonic() - began > SLOW_SECONDS:
        _slow[parcel.address] = time.monotonic() + LEFT_ALONE_SECONDS
    return answer


def _left_alone() -> list[str]:
    """Return the addresses that were slow lately: others are served first."""
    for address in [address for address, until in _slow.items() if until < time.monotonic()]:
        del _slow[address]
    return list(_slow)


def _record(message: Notification, answer: Answer) -> None:
    """Record an answer; one that cannot be recorded costs no other, and its message is sent again after its lease."""
    try:
        record(message, answer)
    except Exception as error:
        if is_outage(error):
            raise
        log.exception("what became of the notification %s cannot be recorded", message.pk)


def record(message: Notification, answer: Answer) -> bool:
    """Record what became of an attempt, if the message is still ours; a failure is tried again by the schedule."""
    if not answer.error:
        return _end(message, "sent")
    log.warning("notification %s to %s failed: %s", message.pk, message.channel, answer.error)
    if answer.gone:
        with transaction.atomic():
            _CLOSED.rows({"address": message.address, "error": answer.error})
            return _end(message, "gone", answer.error)
    wait = retrying.next_wait(message.attempts, answer.retry_after, random.random())  # noqa: S311 - jitter
    if wait is None or answer.final:
        return _end(message, "dead", answer.error)
    return bool(_AGAIN.rows({"id": message.pk, "claim": message.claim, "error": answer.error, "wait": wait}))


def _end(message: Notification, state: str, error: str = "") -> bool:
    return bool(_END.rows({"id": message.pk, "claim": message.claim, "state": state, "error": error}))


def _pack(message: Notification) -> Parcel | None:
    """Return what is to be sent; None when there is nothing left to tell, or it cannot be told: that is recorded."""
    try:
        if message.attempts > retrying.MAX_ATTEMPTS:
            _end(message, "dead", "the process that sent it died each time")
            return None
        notices, because = remaining(message)
        if message.kind != TEST and not notices:
            _end(message, "dropped")
            return None
        content = message.content or _write(message, notices, because)
        secrets = _secrets(message.connection) if message.channel == "webhook" else ()
        return Parcel(str(message.pk), message.channel, message.address, content, secrets)
    except Exception as error:
        log.exception("notification %s could not be written", message.pk)
        record(message, Answer(error=f"it could not be written: {type(error).__name__}"))
        return None


def _write(message: Notification, notices: Sequence[Notice], because: str) -> dict[str, object]:
    """Write the message, and keep it: every attempt says the same."""
    message.because = because[:200] or message.because
    content = words.content(message, notices)
    Notification.objects.filter(pk=message.pk, claim=message.claim).update(content=content, because=message.because)
    return content


def _secrets(connection: str) -> list[str]:
    found = Connection.objects.filter(name=connection).first()
    return secrets_of(found) if found else []
