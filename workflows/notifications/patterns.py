"""Names with stars, as rules give them: `billing-*, onboarding`."""

import re
from fnmatch import fnmatchcase

PATTERN = re.compile(r"[A-Za-z0-9_.:*-]+")


def parts(text: str) -> list[str]:
    """Return the patterns of a list separated by commas or spaces."""
    return text.replace(",", " ").split()


def fits(text: str, name: str) -> bool:
    """Tell whether one of the patterns fits; what has no name fits any."""
    return not name or any(fnmatchcase(name, pattern) for pattern in parts(text))


def like(text: str) -> list[str]:
    """Return the patterns as SQL's LIKE has them."""
    return [re.sub(r"([\\%_])", r"\\\1", pattern).replace("*", "%") for pattern in parts(text)]


def wrong(text: str) -> list[str]:
    """Return what is no pattern."""
    return [pattern for pattern in parts(text) if not PATTERN.fullmatch(pattern)]
