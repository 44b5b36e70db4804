"""When a message is tried again (Standard Webhooks 1.0, "Delivery attempts and retry schedule"): for about 75 hours."""

WAITS = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
MAX_ATTEMPTS = len(WAITS) + 1
JITTER = 0.1
LONGEST_WAIT = 86_400.0


def next_wait(attempts: int, retry_after: float | None, random: float) -> float | None:
    """Return the seconds after which to try again, None when it was the last attempt.

    `attempts` have been made, `random` is 0 to 1. A wait is never shorter than the schedule or the receiver asks for,
    and what the receiver asks for is kept up to a day.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    wait = WAITS[max(0, attempts - 1)] * (1 + JITTER * random)
    return max(wait, min(retry_after or 0.0, LONGEST_WAIT))
