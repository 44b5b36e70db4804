"""Evaluate an expression: in the fast lane if it is a plain path, otherwise in the sandbox."""

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from workflows.expressions import paths, scan
from workflows.expressions.errors import ExpressionError
from workflows.expressions.sandbox import SANDBOX
from workflows.expressions.sandbox_worker import COMPILE, MISFORMED, VALUE

# The variables of tasks. Blocks add others, and calls have `secrets`: any name can be given.
VARIABLES = frozenset({"context", "input", "output", "runtime", "task", "workflow"})
Wanted = tuple[str, frozenset[str]]
UNKNOWN = "?"
AT_ONCE = 50
LARGEST_INPUT = 1 << 20
DEEPEST_RESULT = 64
TOO_DEEP = f"the result is nested deeper than {DEEPEST_RESULT} levels"

# Not the boundary (that is the process): it makes a forbidden name fail with a reason even if the scan is fooled.
PRELUDE = (
    'def env: {}; def halt: error("`halt` is not allowed"); def halt_error: halt; def halt_error($x): halt; '
    'def input: error("`input` is not allowed"); def inputs: input; def input_filename: null; '
    'def input_line_number: 0; def modulemeta: error("`modulemeta` is not allowed"); def get_search_list: []; '
    "def debug: .; def debug(f): .; def stderr: .; def __json: tojson; {} as $ENV | "
)
# Two line ends, because a comment of jq goes on after a backslash. As text, numbers keep all their digits.
TAIL = "\n\n| __json"
HUGE = re.compile(rb"[eE]\+?[0-9]{3}")
COMPILE_ERROR = re.compile(r"jq: error: (.*?) at <top-level>, line (\d+), column (\d+):", re.DOTALL)


def evaluate(expression: str, dot: Any, variables: Mapping[str, Any]) -> Any:
    """Return the value of a jq text: null for no output, an array for several (R22).

    `variables` are read only if the text mentions them (names without `$`). Data must be JSON; a result may share
    parts with it. Raises ExpressionError.
    """
    lane = paths.parse(expression)
    if lane:
        try:
            return lane(dot, variables)
        except paths.UndecidedError:
            return _in_sandbox(expression, dot, variables)
    return _in_sandbox(expression, dot, variables)


def compiles(expression: str, variables: Collection[str] = VARIABLES) -> str | None:
    """Return what is wrong with the text where only `variables` (without `$`) are available, or None."""
    quick = _without_jq(expression, variables)
    if quick is not UNKNOWN:
        return quick
    try:  # without the tail: with it, `. as $x` would become an expression, and the end of the text would not be told
        status, text = SANDBOX.run(COMPILE, PRELUDE + _beginning(expression, variables) + expression, b"")
    except ExpressionError as error:
        return error.detail
    return _reason(text.decode()) if status == MISFORMED else None


def compile_all(wanted: Iterable[Wanted]) -> dict[Wanted, str | None]:
    """Do the same for many (text, variables) at once: reading its own definitions is what takes jq's time."""
    results = {(text, variables): _without_jq(text, variables) for text, variables in wanted}
    unknown = [key for key, reason in results.items() if reason is UNKNOWN]
    together = [key for key in unknown if scan.is_whole(key[0])]
    for start in range(0, len(together), AT_ONCE):
        part = together[start : start + AT_ONCE]
        if _compile_together(part):
            results |= dict.fromkeys(part)
    return {key: compiles(*key) if reason is UNKNOWN else reason for key, reason in results.items()}


def _compile_together(wanted: Iterable[Wanted]) -> bool:
    """Tell whether all are right; each has brackets of its own, which it cannot leave because its own are closed."""
    program = ", ".join(f"({_beginning(text, variables)}{text}\n\n)" for text, variables in wanted)
    try:
        return SANDBOX.run(COMPILE, PRELUDE + program, b"")[0] == VALUE
    except ExpressionError:
        return False


def _without_jq(expression: str, variables: Collection[str]) -> str | None:
    """Return what `compiles` returns, if that can be told at once, else UNKNOWN."""
    reason = scan.forbidden(expression)
    if reason:
        return reason
    return None if scan.mentions(expression).issubset(variables) and paths.parse(expression) else UNKNOWN


def _beginning(expression: str, variables: Collection[str]) -> str:
    return _head(scan.mentions(expression).intersection(variables))


def _in_sandbox(expression: str, dot: Any, variables: Mapping[str, Any]) -> Any:
    program, names = _program(expression, frozenset(variables) & scan.mentions(expression))
    document = _document([dot, *(variables[name] for name in names)])
    status, text = SANDBOX.run(b"e", program, document)
    if status == VALUE:
        return _one(text)
    if status == MISFORMED:
        reason = compiles(expression, names) or _reason(text.decode())
        raise ExpressionError("The expression does not compile", reason)
    raise ExpressionError("The expression failed", text.decode())


@lru_cache(4096)
def _program(expression: str, bound: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    reason = scan.forbidden(expression)
    if reason:
        raise ExpressionError("The expression is not allowed", reason)
    return f"{PRELUDE}{_head(bound)}{expression}{TAIL}", tuple(sorted(bound))


def _head(bound: Iterable[str]) -> str:
    """Return what binds the variables: one line, so that jq counts lines from 2 and columns as the author does."""
    names = sorted(bound)
    return "".join(f".[{at}] as ${name} | " for at, name in enumerate(names, start=1)) + ".[0] |\n"


def _document(values: list[Any]) -> bytes:
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise ExpressionError("The expression cannot read its data", str(error)) from None
    if len(text) > LARGEST_INPUT:
        detail = f"it would have to read {len(text)} bytes; the limit is {LARGEST_INPUT}"
        raise ExpressionError("The data is too large for the expression", detail)
    return text


def _one(text: bytes) -> Any:
    try:
        outputs = json.loads(text)
    except RecursionError:
        raise ExpressionError("The expression failed", TOO_DEEP) from None
    except ValueError as error:
        raise ExpressionError("The expression failed", f"the result is not JSON: {error}") from None
    _check(text, outputs)
    if len(outputs) == 1:
        return outputs[0]
    return outputs or None


def _check(text: bytes, outputs: list[Any]) -> None:
    """Refuse results that could not be stored. The counts make the usual case cheap."""
    if text.count(b"[") + text.count(b"{") > DEEPEST_RESULT and _deeper(outputs, DEEPEST_RESULT + 1):
        raise ExpressionError("The expression failed", TOO_DEEP)
    if b"\\u0000" in text and _contains(outputs, lambda value: isinstance(value, str) and "\0" in value):
        raise ExpressionError("The expression failed", "the result contains the character U+0000")
    if HUGE.search(text) and _contains(outputs, lambda value: isinstance(value, float) and math.isinf(value)):
        raise ExpressionError("The expression failed", "the result contains a number larger than 1.8e308")


def _deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inside = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(item, levels - 1) for item in inside)


def _contains(value: Any, is_bad: Callable[[Any], bool]) -> bool:
    if isinstance(value, dict):
        return any(is_bad(key) or _contains(item, is_bad) for key, item in value.items())
    if isinstance(value, list):
        return any(_contains(item, is_bad) for item in value)
    return is_bad(value)


def _reason(text: str) -> str:
    """Return jq's first complaint with the author's line and column."""
    found = COMPILE_ERROR.search(text)
    if not found:
        return text.removeprefix("jq: error: ").splitlines()[0] if text else "it is not a jq expression"
    message, line, column = found[1], int(found[2]) - 1, found[3]
    return f"{message} (line {line}, column {column})" if line > 0 else message
