"""What the housekeeper does for notifications, and how often."""

import time

from workflows.notifications import matching, sending, watching

WATCH_SECONDS = 15.0
SEND_SECONDS = 2.0
MATCH_ROUNDS = 10


def watch() -> None:
    """Find what has lasted too long."""
    watching.watch()


def send() -> None:
    """Make messages of what is new, and send what is due; the rest is for the next round."""
    try:
        for _ in range(MATCH_ROUNDS):
            if not matching.match():
                break
    finally:  # what cannot be matched holds up no message that is there
        end = time.monotonic() + SEND_SECONDS
        while sending.send_due() and time.monotonic() < end:
            pass
