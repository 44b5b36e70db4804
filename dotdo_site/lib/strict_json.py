"""The one JSON parser for everything that comes from outside: API bodies, fields of pages, webhooks.

`json.loads` accepts what PostgreSQL, JavaScript or the next reader would understand differently (NaN, duplicate keys,
huge integers) and what hurts (10,000 nested lists). So the text is scanned first, token by token, in linear time;
only a text that passed is given to `json.loads`, which checks the grammar. Most texts need no scan: a few searches show
that none of this can be in them. The scan has the last word, and says where a mistake is.
"""

import json
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_KEYS = 5_000
MAX_VALUES = 200_000
MAX_INTEGER = 2**53 - 1
MAX_DIGITS = 400

# A string is matched even when its end is missing (group "closed" is empty then): a pattern that fails there would be
# tried again at every quote, in quadratic time.
_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]++|\\.)*+(?P<closed>"?))(?P<key>[ \t\r\n]*+:)?'
    r"|(?P<open>[\[{])|(?P<close>[\]}])|(?P<comma>,)"
    r"|(?P<number>-?[0-9][0-9.eE+-]*+)|(?P<word>-?[A-Za-z_][A-Za-z_0-9]*+)",
    re.DOTALL,
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_STRING = re.compile(r'"[^"]*"')
# Outside of strings: integers that may be beyond 2^53, powers of ten, NaN and Infinity.
_DOUBTFUL = re.compile(r"[0-9]{16}|[0-9.][eE]|[NI]")
_NO_BRACKET = re.compile(r"[^\[\]{}]+")
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


class BadJSON(ValueError):
    """A text is not the JSON that dotdo accepts. The message says what is wrong and where, never the value."""

    def __init__(self, what: str, text: str = "", at: int | None = None) -> None:
        self.line, self.column = (0, 0) if at is None else _position(text, at)
        self.message = what if at is None else f"{what} (line {self.line}, column {self.column})"
        super().__init__(self.message)


class TooLarge(BadJSON):
    """A body is longer than allowed."""


class _Doubt(Exception):
    """An object may be one that is not accepted."""


def loads(raw: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, max_keys: int = MAX_KEYS) -> Any:
    """Return the value of a JSON text in UTF-8; `max_keys` counts per object. Raises BadJSON, TooLarge."""
    if len(raw) > max_bytes:
        raise TooLarge(f"the body is longer than {max_bytes} bytes")
    text = _decode(raw)
    if _is_harmless(text, max_depth):
        with suppress(_Doubt, json.JSONDecodeError):
            return json.loads(text, parse_float=_float, object_pairs_hook=partial(_object, max_keys))
    _Scan(text, max_depth, max_keys).run()
    try:
        return json.loads(text, parse_float=_float, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise BadJSON(f"not JSON: {error.msg}", text, error.pos) from None


def _decode(raw: bytes) -> str:
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise BadJSON("the text begins with a byte order mark: send plain UTF-8")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJSON(f"not UTF-8: byte {error.start} cannot be decoded") from None


def _is_harmless(text: str, max_depth: int) -> bool:
    """Tell whether a text surely keeps to all limits but those of single objects. False says nothing about it."""
    if "\\" in text:
        return False  # what is escaped may be anything
    bare = _STRING.sub("", text)
    if '"' in bare or bare.count(",") > MAX_VALUES or _DOUBTFUL.search(bare):
        return False
    levels = accumulate(map(_STEPS.__getitem__, _NO_BRACKET.sub("", bare)))
    return max(levels, default=0) <= max_depth


def _object(max_keys: int, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs) or len(made) > max_keys:
        raise _Doubt
    return made


def _position(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _float(digits: str) -> float:
    return float(digits) + 0.0  # PostgreSQL has no negative zero in jsonb; a digest must not see one either


def _refuse_constant(name: str) -> Any:
    raise BadJSON(f"{name} is not JSON")


@dataclass(slots=True)
class _Scan:
    """One pass over the tokens: depth, counts, duplicate keys, characters and numbers."""

    text: str
    max_depth: int
    max_keys: int
    keys: list[set[str]] = field(default_factory=list)
    values: int = 0

    def run(self) -> None:
        """Read every token. Raises BadJSON at the first that is not accepted."""
        for token in self._tokens():
            self._read(token)

    def _tokens(self) -> Iterator[re.Match[str]]:
        return _TOKEN.finditer(self.text)

    def _read(self, token: re.Match[str]) -> None:
        match token.lastgroup:
            case "open":
                self._enter(token)
            case "close":
                del self.keys[-1:]
            case "comma":
                self._count(token)
            case "number":
                self._number(token)
            case "word":
                self._word(token)
            case _:
                self._string(token)

    def _enter(self, token: re.Match[str]) -> None:
        self.keys.append(set())
        if len(self.keys) > self.max_depth:
            raise self._bad(f"nested deeper than {self.max_depth} levels", token)

    def _count(self, token: re.Match[str]) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            raise self._bad(f"more than {MAX_VALUES} values", token)

    def _string(self, token: re.Match[str]) -> None:
        if not token["closed"]:
            raise self._bad("a string has no end", token)
        value = self._value(token)
        if "\x00" in value:
            raise self._bad("a string contains the NUL character", token)
        if _SURROGATE.search(value):
            raise self._bad("a string contains half of a surrogate pair", token)
        if token["key"] and self.keys:
            self._key(value, token)

    def _value(self, token: re.Match[str]) -> str:
        quoted = token["string"]
        if "\\" not in quoted:
            return quoted[1:-1]
        try:
            return str(json.loads(quoted, strict=False))
        except json.JSONDecodeError as error:
            raise BadJSON(f"not JSON: {error.msg}", self.text, token.start() + error.pos) from None

    def _key(self, key: str, token: re.Match[str]) -> None:
        seen = self.keys[-1]
        if key in seen:
            raise self._bad(f"the key {_short(key)} appears twice in one object", token)
        seen.add(key)
        if len(seen) > self.max_keys:
            raise self._bad(f"an object has more than {self.max_keys} keys", token)

    def _number(self, token: re.Match[str]) -> None:
        digits = token["number"]
        if len(digits) > MAX_DIGITS:
            raise self._bad(f"a number has more than {MAX_DIGITS} characters", token)
        if digits.lstrip("-").isdigit():
            if abs(int(digits)) > MAX_INTEGER:
                raise self._bad("an integer is beyond 2^53 - 1: send it as a string", token)
        elif _overflows(digits):
            raise self._bad("a number is too large for a double", token)

    def _word(self, token: re.Match[str]) -> None:
        if token["word"].lstrip("-") in {"NaN", "Infinity"}:
            raise self._bad(f"{token['word']} is not JSON", token)

    def _bad(self, what: str, token: re.Match[str]) -> BadJSON:
        return BadJSON(what, self.text, token.start())


def _overflows(digits: str) -> bool:
    try:
        return math.isinf(float(digits))
    except ValueError:
        return False  # not a number at all: `json.loads` says so, with the position


def _short(key: str) -> str:
    return json.dumps(key if len(key) <= 60 else key[:60] + "…", ensure_ascii=False)
