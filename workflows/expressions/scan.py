"""The words of a jq text: which variables it mentions and whether it uses a builtin that is not allowed.

A scanner and not a search, because `"input"`, `.input` and `{input: 1}` are harmless where `input` is not. Text inside
`\\( )` of a string is code again and is read too.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

LONGEST = 4096

FORBIDDEN_NAMES = frozenset(
    {
        *("import", "include", "modulemeta", "get_search_list"),
        *("input", "inputs", "input_filename", "input_line_number", "env"),
        *("halt", "halt_error", "debug", "stderr"),
        "__json",  # what our own tail calls
    }
)
FORBIDDEN_VARIABLES = frozenset({"ENV", "__loc__", "__prog_args"})

TOKEN = re.compile(
    r"""
      (?P<space>  \s+ | \#(?:[^\\\n]|\\.|\\\n)* )
    | (?P<field>  \.[A-Za-z_][A-Za-z0-9_]* )
    | (?P<word>   (?:[A-Za-z_][A-Za-z0-9_]*::)*[A-Za-z_][A-Za-z0-9_]* )
    | \$\s*(?P<variable> (?:[A-Za-z_][A-Za-z0-9_]*::)*[A-Za-z_][A-Za-z0-9_]* )
    | (?P<quote>  " )
    | (?P<open>   [(\[{] )
    | (?P<close>  [)\]}] )
    | (?P<other>  \.\. | @[A-Za-z0-9_]+ | [0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)? | . )
    """,
    re.VERBOSE | re.DOTALL,
)
CLOSED_BY = {"(": ")", "[": "]", "{": "}", '"': ")"}
STRING_PART = re.compile(r'(?:[^"\\]|\\[^(])*(?P<end>"|\\\(|\Z|\\\Z)', re.DOTALL)


def mentions(expression: str) -> frozenset[str]:
    """Return the names of the variables in the text, without `$`."""
    return _scan(expression)[0]


def forbidden(expression: str) -> str | None:
    """Return why the text may not be used at all, or None. This is a first line; the sandbox is the boundary."""
    try:
        size = len(expression.encode())
    except UnicodeEncodeError:
        return "the expression contains half a character (an unpaired surrogate)"
    if size > LONGEST:
        return f"the expression is longer than {LONGEST} bytes"
    name = _scan(expression)[1]
    return f"`{name}` is not allowed in expressions" if name else None


def is_whole(expression: str) -> bool:
    """Tell whether brackets and strings end in the text, so that it can stand inside brackets."""
    opened: list[str] = []
    return all(kind != "wrong" for kind, _ in _tokens(expression, opened)) and not opened


@lru_cache(4096)
def _scan(expression: str) -> tuple[frozenset[str], str | None]:
    variables: set[str] = set()
    banned = None
    for kind, text, is_key in _words(expression):
        if kind == "variable":
            variables.add(text)
            if text in FORBIDDEN_VARIABLES:
                banned = banned or f"${text}"
        elif text in FORBIDDEN_NAMES and not is_key:
            banned = banned or text
    return frozenset(variables), banned


def _words(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield (`word` or `variable`, text, whether it is the key of an object construction)."""
    opened: list[str] = []
    before = ""
    for kind, token in _tokens(text, opened):
        if kind in ("word", "variable"):
            yield kind, token, opened[-1:] == ["{"] and before in ("{", ",")
        before = token


def _tokens(text: str, opened: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (kind, token), and `wrong` for a bracket or a string that has no end. `opened`: the brackets around it."""
    position = 0
    while found := TOKEN.match(text, position):
        position = found.end()
        kind, token = found.lastgroup or "", found[found.lastgroup or 0]
        if kind == "space":
            continue
        if kind == "open":
            opened.append(token)
        elif kind == "close":
            bracket = opened.pop() if opened else ""
            if CLOSED_BY.get(bracket) != token:
                kind = "wrong"
            elif bracket == '"':
                kind = "quote"
        if kind == "quote":
            position, ended = _skip_string(text, position, opened)
            kind = kind if ended else "wrong"
        yield kind, token


def _skip_string(text: str, position: int, opened: list[str]) -> tuple[int, bool]:
    r"""Return where code goes on, and whether it does.

    That is after the closing quote, or inside `\(`, which is then noted as open.
    """
    found = STRING_PART.match(text, position)
    if not found:
        return len(text), False
    if found["end"] == "\\(":
        opened.append('"')
    return found.end(), found["end"] in ('"', "\\(")
