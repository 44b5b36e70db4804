"""When to try again. Pure: policy, number of failures, failure and a random number in; the decision out."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from actions.errors import CODE, Failure
from dotdo_site.lib import durations

BACKOFFS = ("constant", "linear", "exponential")
MAX_ATTEMPTS = 100
LONGEST = 86_400.0


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently a failed action is tried again. Raises ValueError for a value that means nothing.

    The n-th wait is `initial`, n x `initial` or 2^(n-1) x `initial`, at most `max`, less a random part of up to
    `jitter` (0 to 1) of it. `max_attempts` counts the first attempt. A wait that the receiver asks for
    (Retry-After) is kept, up to a day, even beyond `max`.
    """

    max_attempts: int = 5
    backoff: str = "exponential"
    initial: str | float = "2s"
    max: str | float = "5m"
    jitter: float = 0.2
    non_retryable: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_number("max_attempts", self.max_attempts, 1, MAX_ATTEMPTS, int)
        _check_number("jitter", self.jitter, 0, 1, (int, float))
        if self.backoff not in BACKOFFS:
            raise ValueError(f"retry.backoff is {self.backoff!r}: use one of {', '.join(BACKOFFS)}")
        initial, longest = _duration("initial", self.initial), _duration("max", self.max)
        if initial > longest:
            raise ValueError(f"retry.initial ({self.initial}) is longer than retry.max ({self.max})")
        object.__setattr__(self, "initial", durations.text(initial))
        object.__setattr__(self, "max", durations.text(longest))
        object.__setattr__(self, "non_retryable", _codes(self.non_retryable))

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Retry":
        """Read a policy; what is left out keeps its default. Raises ValueError for unknown keys and bad values."""
        if not isinstance(value, Mapping):
            raise ValueError(f"retry is {value!r}: use an object such as {{'max_attempts': 5}}")  # noqa: TRY004
        known = {part.name for part in fields(cls)}
        if unknown := sorted(map(str, set(value) - known)):
            raise ValueError(f"retry has unknown keys {', '.join(unknown)}: known are {', '.join(sorted(known))}")
        return cls(**value)

    def as_dict(self) -> dict[str, Any]:
        """Return the whole policy as JSON, defaults included, so that a later default changes nothing published."""
        return {**asdict(self), "non_retryable": list(self.non_retryable)}


@dataclass(frozen=True, slots=True)
class RetryIn:
    """Try again after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not try again: `not_retryable`, `non_retryable_code` or `attempts_exhausted`."""

    reason: str


def decide(policy: Retry, failures: int, failure: Failure, random: float) -> RetryIn | GiveUp:
    """Choose what follows the `failures`-th failed attempt; `random` is in [0, 1)."""
    if not failure.retryable:
        return GiveUp("not_retryable")
    if failure.code in policy.non_retryable:
        return GiveUp("non_retryable_code")
    if failures >= policy.max_attempts:
        return GiveUp("attempts_exhausted")
    wait = delay(policy, failures) * (1 - policy.jitter * random)
    return RetryIn(max(wait, min(failure.retry_after or 0.0, LONGEST)))


def delay(policy: Retry, failures: int) -> float:
    """Return the wait in seconds after the `failures`-th failure, before jitter."""
    initial, longest = durations.seconds(policy.initial), durations.seconds(policy.max)
    factors = {"constant": 1.0, "linear": float(failures), "exponential": 2.0 ** (failures - 1)}
    return min(initial * factors[policy.backoff], longest)


def _check_number(name: str, value: Any, low: int, high: int, kind: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        raise ValueError(f"retry.{name} is {value!r}: use a number from {low} to {high}")


def _duration(name: str, value: Any) -> float:
    try:
        length = durations.seconds(value)
    except ValueError as error:
        raise ValueError(f"retry.{name}: {error}") from None
    if length > LONGEST:
        raise ValueError(f"retry.{name} is {value!r}: at most 1d")
    return length


def _codes(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise ValueError(f"retry.non_retryable is {value!r}: use a list of error codes")  # noqa: TRY004
    for code in value:
        if not isinstance(code, str) or not re.fullmatch(CODE, code):
            raise ValueError(f"retry.non_retryable: {code!r} is not an error code")
    return tuple(value)
