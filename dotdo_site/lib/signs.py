"""Signs of life of long work: whoever watches this process registers how they are given, and the work gives them."""

from collections.abc import Callable

_ways: list[Callable[[], None]] = []


def register(way: Callable[[], None]) -> None:
    """Have this called for every sign."""
    _ways.append(way)


def give() -> None:
    """Say that this process is not stuck; cheap enough for every page of long work."""
    for way in _ways:
        way()
