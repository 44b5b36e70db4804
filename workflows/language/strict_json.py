"""JSON read strictly: one pass over the tokens finds depth and duplicate keys with their place, then `json` parses."""

import json
import re
from typing import Any

from workflows.language.strictness import DEEPEST, LoadError, check_number, check_text

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s"\[\]{},:]+', re.DOTALL)


def parse(text: str) -> Any:
    """Return the value of a JSON text. Raises LoadError with line and column."""
    place = 0
    try:
        place = _check_tokens(text)
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise LoadError(f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}", error.lineno, error.colno) from None
    except RecursionError:
        raise LoadError(f"nested deeper than {DEEPEST} levels; simplify it", *_position(text, place)) from None


def _check_tokens(text: str) -> int:
    """Refuse what `json` would accept; what it refuses itself is left to it."""
    keys: list[set[str] | None] = []
    previous = ""
    for found in TOKEN.finditer(text):
        token = found[0]
        if token in "[{":
            if len(keys) >= DEEPEST:
                raise LoadError(f"nested deeper than {DEEPEST} levels; simplify it", *_position(text, found.start()))
            keys.append(set() if token == "{" else None)
        elif token in "]}" and keys:
            keys.pop()
        elif token.startswith('"'):
            seen = keys[-1] if keys and previous in ("{", ",") else None
            _check_string(token, seen, _position(text, found.start()) if _suspect(token, seen) else (0, 0))
        elif token not in ",:":
            _check_word(token, text, found.start())
        previous = token
    return len(text)


def _suspect(token: str, seen: set[str] | None) -> bool:
    return "\\u" in token or (seen is not None and token in seen)


def _check_string(token: str, seen: set[str] | None, place: tuple[int, int]) -> None:
    raise NotImplementedError


def _check_word(token: str, text: str, start: int) -> None:
    raise NotImplementedError


def _position(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
