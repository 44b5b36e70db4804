"""When a caught fault is tried again: §1.9, rulings R25 and R26. Values in, values out."""

from datetime import timedelta

DOUBLINGS = 40


def delay(backoff: str, base: timedelta, attempt: int) -> timedelta:
    """Return the pause before the `attempt`-th retry (from 1), without jitter."""
    if backoff == "linear":
        return base * attempt
    if backoff == "exponential":
        return base * int(2 ** min(attempt - 1, DOUBLINGS))
    return base


def with_jitter(pause: timedelta, low: timedelta, high: timedelta, chance: float) -> timedelta:
    """Return the pause plus a part between `low` and `high`; `chance` is from 0 to below 1."""
    return pause + low + (high - low) * chance
