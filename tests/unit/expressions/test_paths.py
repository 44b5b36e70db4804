"""The fast lane must be indistinguishable from jq."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.expressions import ExpressionError, evaluate, paths
from workflows.expressions.evaluation import _in_sandbox

SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, -2.5]) | st.text("ab~é", max_size=2)
)
KEYS = st.sampled_from(["a", "b", "é", "a b", "and", ""])
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
STEPS = st.sampled_from([".a", ".b", ".and", '."a b"', '["é"]', '.["a"]', "[0]", "[-1]", ".[1]", '[""]', "[5]"])
LITERALS = st.sampled_from(
    ["null", "true", "false", "0", "1", "-1", "-0", "0.5", "1.0", "01", "3.25", '""', '"a"', '"b~"', '"é"']
)
SUFFIXES = st.one_of(
    st.just(""),
    st.builds(
        "{}{}{}".format, st.sampled_from(["==", " != ", "< ", " <=", ">", " >= ", " // "]), st.just(" "), LITERALS
    ),
)


@st.composite
def lane_texts(draw: st.DrawFn) -> str:
    steps = "".join(draw(st.lists(STEPS, max_size=3)))
    root = draw(st.sampled_from([".", "$context", "$input", "$item", "$index", "$error"]))
    if root == "." and steps:
        root = "" if steps.startswith(".") else "."
    return root + steps + draw(SUFFIXES) + draw(st.sampled_from(["", " | not", "|not "]))


def outcome(function: Any, *arguments: Any) -> tuple[str, Any]:
    try:
        return "value", json.dumps(function(*arguments), sort_keys=True)
    except ExpressionError as error:
        return "error", f"{error.title}: {error.detail}"


ERRORS = st.fixed_dictionaries(
    {"type": st.sampled_from(["a", "https://serverlessworkflow.io/spec/1.0.0/errors/timeout"]), "status": st.just(408)},
    optional={"a": SCALARS, "b": DATA},
)


@settings(max_examples=600, deadline=None)
@given(lane_texts(), DATA, DATA, DATA, st.integers(0, 9999), ERRORS)
def test_the_lane_and_jq_give_the_same_value_or_the_same_error(
    text: str, dot: Any, context: Any, item: Any, index: int, error: Any
) -> None:
    """Also with the variables of loops, of events' bodies and of a catch."""
    variables = {"context": context, "input": [dot], "item": item, "index": index, "error": error}
    assert paths.parse(text), text
    assert outcome(evaluate, text, dot, variables) == outcome(_in_sandbox, text, dot, variables)


@settings(max_examples=300, deadline=None)
@given(st.text('.$ab"[]()0-1|/=<> not\\#{}', max_size=12), DATA)
def test_whatever_the_lane_takes_means_the_same_to_jq(text: str, dot: Any) -> None:
    lane = paths.parse(text)
    if lane:
        assert outcome(evaluate, text, dot, {}) == outcome(_in_sandbox, text, dot, {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "..",
        "..a",
        ". a",
        ".a .b",
        ".[]",
        ".a[]",
        ".[1:2]",
        ".a?",
        ".a.",
        "[0]",
        '"a"',
        '."\\u0061"',
        '."\\(.b)"',
        ".a == .b",
        ".a == 1 == 2",
        ".a = 1",
        ".a == 1e3",
        ".a == 1.",
        ".a == .5",
        ".a == 0.1234567890123456",
        ".a and .b",
        "$ENV",
        "$ENV.PATH",
        "$__loc__",
        "$x y",
        ".a | length",
        ".a |= 1",
        '.a == "\n"',
        ".a nota",
        "$",
        ".a==nullx",
    ],
)
def test_what_is_not_certain_is_left_to_jq(text: str) -> None:
    assert paths.parse(text) is None


def test_a_long_whole_number_keeps_its_digits() -> None:
    assert evaluate(".n", {"n": 9007199254740993}, {}) == 9007199254740993


def test_an_unknown_variable_is_named() -> None:
    with pytest.raises(ExpressionError, match=r"\$nothing is not defined"):
        evaluate("$nothing.a", None, {})
    with pytest.raises(ExpressionError, match=r"\$nothing is not defined"):
        evaluate("$nothing.a // 1", None, {})
