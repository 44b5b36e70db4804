"""JSON read strictly: a pass over the tokens refuses what `json` would accept, with its place; then `json` parses.

The language depends on nothing of the project, so this is not the parser of the API (`dotdo_site.lib`); both refuse the
same texts, but this one reports to a person with an editor.
"""

import json
import re
from typing import Any

from workflows.language.strictness import DEEPEST, LoadError, check_number, check_text

# A string without an end is a token too: tried again at each quote, the pattern would take quadratic time.
TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]++|\\.)*+"?)(?P<key>[ \t\r\n]*+:)?|(?P<open>[\[{])|(?P<close>[\]}])|(?P<word>[-+.\w]++)',
    re.DOTALL,
)
STRANGE = ("NaN", "Infinity", "-Infinity")
LONGEST_NUMBER = 400


def parse(text: str) -> Any:
    """Return the value of a JSON text. Raises LoadError."""
    _check_tokens(text)
    try:
        return json.loads(text, parse_float=lambda digits: float(digits) + 0.0)
    except json.JSONDecodeError as error:
        raise LoadError(
            f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}", error.lineno, error.colno
        ) from None


def _check_tokens(text: str) -> None:
    keys: list[set[str]] = []
    for found in TOKEN.finditer(text):
        try:
            _check_token(found, keys)
        except LoadError as error:  # places are counted only now: counting them for each token takes quadratic time
            raise LoadError(error.reason, *_position(text, found.start())) from None


def _check_token(found: re.Match[str], keys: list[set[str]]) -> None:
    kind = found.lastgroup
    if kind == "open":
        keys.append(set())
        if len(keys) > DEEPEST:
            raise LoadError(f"nested deeper than {DEEPEST} levels; simplify it")
    elif kind == "close":
        del keys[-1:]
    elif kind == "word":
        _check_word(found[0])
    else:
        _check_string(found["string"], keys[-1] if keys and found["key"] else None)


def _check_string(quoted: str, seen: set[str] | None) -> None:
    if seen is None and "\\u" not in quoted:
        return
    try:
        value = str(json.loads(quoted))
    except json.JSONDecodeError as error:
        raise LoadError(f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}") from None
    check_text(value)
    if seen is not None:
        if value in seen:
            raise LoadError(f"the key `{value[:60]}` is there twice; remove one")
        seen.add(value)


def _check_word(word: str) -> None:
    if word in STRANGE:
        raise LoadError(f'`{word}` is not a number of JSON; quote it: "{word}"')
    if len(word) > LONGEST_NUMBER:
        raise LoadError(f"a number or word of {len(word)} characters; quote it if it is text")
    try:
        number = float(word) if "." in word or "e" in word.lower() else int(word)
    except ValueError:
        return  # `true`, `null`, or not JSON: the parser knows
    check_number(number)


def _position(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
