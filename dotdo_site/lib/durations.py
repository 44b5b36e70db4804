"""Durations as people write them: `500ms`, `2s`, `5m`, `1h`, `1d`, ISO 8601 (`PT1M30S`), or a number of seconds."""

import math
import re

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
SHORT = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
ISO = re.compile(
    r"P(?:(?P<w>\d+)W)?(?:(?P<d>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
ISO_UNITS = {"w": 604_800.0, "d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}


def seconds(value: object) -> float:
    """Return the duration in seconds. Raises ValueError for what is not one; years and months have no fixed length."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_refusal(value))  # noqa: TRY004 - one error for all
    if isinstance(value, str):
        return _parse(value.strip())
    if not math.isfinite(value) or value < 0:
        raise ValueError(_refusal(value))
    return float(value)


def text(value: float) -> str:
    """Return seconds in the longest unit that loses nothing: 120 is `2m`, 1.5 is `1500ms`."""
    milliseconds = round(value * 1_000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def _parse(value: str) -> float:
    if short := SHORT.fullmatch(value):
        return float(short[1]) * UNITS[short[2]]
    iso = ISO.fullmatch(value)
    if iso and any(iso.groupdict().values()):
        return sum(float(number) * ISO_UNITS[unit] for unit, number in iso.groupdict().items() if number)
    raise ValueError(_refusal(value))


def _refusal(value: object) -> str:
    return f"{value!r} is not a duration: write 500ms, 2s, 5m, 1h, 1d, an ISO 8601 duration such as PT5M, or seconds"
