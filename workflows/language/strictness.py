"""What both notations refuse, and the error they refuse it with."""

import math

DEEPEST = 64
LONGEST_REASON = 200
LARGEST_INTEGER = 2**53 - 1


class LoadError(ValueError):
    """The text is not a document. `line` and `column` count from 1; `reason` says what to do."""

    def __init__(self, reason: str, line: int = 1, column: int = 1) -> None:
        reason = reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "…"
        super().__init__(f"line {line}, column {column}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column


def check_text(text: str, line: int = 1, column: int = 1) -> None:
    """Refuse characters that cannot be stored."""
    if "\0" in text:
        raise LoadError("the text contains the character U+0000; remove it", line, column)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise LoadError("the text contains half of a surrogate pair; write the whole character", line, column)


def check_number(number: int | float, line: int = 1, column: int = 1) -> None:
    """Refuse numbers that JSON cannot carry everywhere without a change."""
    if isinstance(number, int) and abs(number) > LARGEST_INTEGER:
        raise LoadError("the number is beyond 2^53 - 1 and would lose digits; quote it", line, column)
    if not math.isfinite(number):
        raise LoadError("the number is not finite; JSON has no such value", line, column)
