"""Which failures are the same: the definition, the step, the error code, and the message without what varies.

What is left of a message holds no id, number, address, path or quoted value, so that one cause is one group, and a
group says nothing about the people whose runs failed.
"""

import hashlib
import re

from dotdo_site.lib import canonical

LONGEST_READ = 4_000
LONGEST = 300
LONGEST_CODE = 100
UNREADABLE = "unreadable"  # the code of errors whose text cannot be read any more

_QUOTES = (
    r'"(?:[^"\\]|\\.){0,500}"',
    r"(?<!\w)'(?:[^'\\]|\\.){0,500}'(?!\w)",
    r"`[^`]{0,500}`",
    r"“[^”]{0,500}”",
    r"«[^»]{0,500}»",
    r"„[^“”]{0,500}[“”]",
)
_RULES = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s\"'<>]+", "<url>"),
        (r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", "<email>"),
        ("|".join(_QUOTES), "<value>"),
        (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<id>"),
        (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?)?", "<time>"),
        (r"\b\d\d?:\d\d:\d\d(?:[.,]\d+)?\b", "<time>"),
        (r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b|(?<![\w:])(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{1,4}", "<address>"),
        (r"(?<![\w.])(?:[A-Za-z]:)?(?:[/\\][\w.@%+~-]+){2,}[/\\]?", "<path>"),
        (r"\b0[xX][0-9a-fA-F]+\b", "<id>"),
        (r"\b(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}\b", "<id>"),
        (r"\b(?=[\w-]*[A-Za-z])(?=[\w-]*\d)[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)+\b", "<id>"),
        (r"\b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{8,}\b", "<id>"),
        (r"(?<![\w<])[-+]?\d+(?:[.,]\d+)*(?![\w>])", "<n>"),
        (r"\d+", "<n>"),
    )
)
_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")


def normalised(message: str) -> str:
    """Return a message without what varies from one run to the next, at most 300 characters long."""
    text = _SPACE.sub(" ", message[:LONGEST_READ]).strip()
    for pattern, word in _RULES:
        text = pattern.sub(word, text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def fingerprint(kind: str, name: str, step: str, code: str, message: str) -> str:
    """Return 32 characters that are the same for failures with the same cause; `message` is normalised."""
    return hashlib.sha256(canonical.dumps([kind, name, step, code, message]).encode()).hexdigest()[:32]
