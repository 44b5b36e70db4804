"""The prepared encoder gives what `json.dumps` gives, byte for byte: hashes stay what they were."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotdo_site.lib import canonical

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside), max_leaves=20)
IN_ITSELF: dict[str, Any] = {}
IN_ITSELF["a"] = [IN_ITSELF]
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def slow(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


@UNHURRIED
@given(VALUES)
def test_a_value_has_the_same_text_as_ever(value: Any) -> None:
    assert canonical.dumps(value) == slow(value)


@UNHURRIED
@given(VALUES)
def test_an_interpreter_without_the_encoder_in_c_gives_the_same_text(value: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canonical, "_encode", None)
        assert canonical.dumps(value) == slow(value)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], IN_ITSELF, {"a": {1}}, {(1,): 2}, {None: 1, "b": 2}])
def test_what_has_no_text_is_refused_in_the_same_words(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)) as expected:
        slow(value)
    with pytest.raises(expected.type) as refused:
        canonical.dumps(value)
    assert str(refused.value) == str(expected.value)


def test_a_value_that_is_nested_without_an_end_is_no_crash() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(RecursionError):
        canonical.dumps(value)
