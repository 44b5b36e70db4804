import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions import limits
from actions.limits import MAX_DEPTH, check_value


class Text(str):
    """A text that is not one of JSON's own."""

    __slots__ = ()


texts = st.text(st.characters(codec=None), max_size=6)  # with NUL and halves of surrogate pairs
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**54), 2**54)
    | st.sampled_from([2**53, 2**53 - 1, 1 - 2**53, -(2**53)])
    | st.floats()
    | texts
    | st.builds(Text, texts)
    | st.binary(max_size=2)
    | st.tuples(st.integers())
)
keys = texts | st.integers() | st.builds(Text, texts)
values = st.recursive(leaves, lambda part: st.lists(part, max_size=4) | st.dictionaries(keys, part, max_size=4))


@given(values)
def test_the_fast_way_lets_nothing_through_that_the_slow_way_refuses(value: Any) -> None:
    assert check_value(value) == limits._look_closely(value)


@given(values)
def test_no_plain_value_is_larger_than_it_was_taken_for(value: Any) -> None:
    most = limits._most_bytes(value, MAX_DEPTH)
    if most <= limits.MAX_BYTES:
        assert len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) <= most


@pytest.mark.parametrize(("levels", "rules"), [(MAX_DEPTH, []), (MAX_DEPTH + 1, ["depth"])])
@pytest.mark.parametrize("around", [lambda part: [part], lambda part: {"a": part}])
def test_the_last_level_is_the_same_for_both(levels: int, rules: list[str], around: Any) -> None:
    value: Any = 1
    for _ in range(levels):
        value = around(value)
    assert [problem.rule for problem in check_value(value)] == rules == [p.rule for p in limits._look_closely(value)]


@pytest.mark.parametrize("sign", ["x", "\x01", "é", "\\"])
def test_a_value_at_the_limit_of_its_size_is_measured_exactly(sign: str) -> None:
    each = len(json.dumps(sign, ensure_ascii=False).encode()) - 2
    fits = sign * ((limits.MAX_BYTES - 2) // each)
    assert check_value(fits) == []
    assert [problem.rule for problem in check_value(fits + sign)] == ["size"]


def test_a_value_that_contains_itself_is_too_deep_and_not_looked_at_for_ever() -> None:
    own: list[Any] = []
    own.append(own)
    assert check_value(own)[0].rule == "depth"
