"""People are told: a dead letter has left a notice, every notice was handled, and what is called sent has arrived."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.evidence import Evidence

PATIENCE_SECONDS = 10.0  # a lease of somebody who died in the middle, or a back-off, may have just ended


def a_dead_letter_tells_somebody_once(evidence: Evidence) -> Iterator[str]:
    """A notice that is out of date when somebody looks at it is dropped; that of a dead letter that stands is not."""
    left = Counter(notice.run for notice in evidence.notices)
    failed = Counter(
        told.run for told in evidence.told if told.kind == "run.failed" and told.data["reason"] != "undone"
    )
    for run, count in failed.items():
        found = evidence.run.get(run or "")
        stands = found is not None and found.state == "failed" and found.resolved_at is None
        if not stands <= left[run] <= count:
            yield f"run {run} failed {count} times, and left {left[run]} notices"


def the_outbox_is_handled(evidence: Evidence) -> Iterator[str]:
    for notice in evidence.notices:
        if notice.state == "new":
            yield f"nobody has looked at notice {notice.id} of run {notice.run}"
    for notification in evidence.notifications:
        waits = notification.state == "waiting" and notification.overdue < PATIENCE_SECONDS  # for its next attempt
        if notification.state not in ("sent", "dropped") and not waits:
            yield f"notification {notification.id} is {notification.state}"


def a_notification_that_was_sent_has_arrived(evidence: Evidence) -> Iterator[str]:
    arrived = {mail.number.strip("<>").partition("@")[0] for mail in evidence.mails}
    for notification in evidence.notifications:
        if notification.state == "sent" and notification.id not in arrived:
            yield f"notification {notification.id} is called sent, and did not arrive"


INVARIANTS = (a_dead_letter_tells_somebody_once, the_outbox_is_handled, a_notification_that_was_sent_has_arrived)
