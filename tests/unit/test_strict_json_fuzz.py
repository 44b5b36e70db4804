"""Whatever the bytes are, the parser answers with a value or with BadJSON, and agrees with a careful `json`."""

import contextlib
import json
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from dotdo_site.lib import strict_json
from dotdo_site.lib.strict_json import BadJSON, loads

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
)
KEYS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20)
SCRAPS = st.lists(
    st.sampled_from(['"', "\\", "[", "]", "{", "}", ":", ",", "1", "e9", "NaN", "a", " ", "\n", "\\u0000"])
)


@given(VALUES, st.booleans())
@settings(max_examples=200, deadline=None)
def test_every_json_value_survives(value: object, ascii_only: bool) -> None:
    assert loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise_anything_but_bad_json(raw: bytes) -> None:
    with contextlib.suppress(BadJSON):
        loads(raw)


@given(SCRAPS)
@settings(max_examples=500, deadline=None)
def test_nothing_is_accepted_that_json_refuses(scraps: list[str]) -> None:
    raw = "".join(scraps).encode()
    try:
        value = loads(raw)
    except BadJSON:
        return
    assert json.loads(raw) == value


SCRAP = (
    *("[", "]", "{", "}", ",", "null", "NaN"),
    *('"a":', '"b":', '"]"', '"{"', '"\\""'),
    *("1", "0.5", "1e9", "1e999", "9" * 16),
)
LITTLE = st.lists(st.sampled_from(SCRAP), max_size=12).map("".join)


@given(LITTLE | VALUES.map(json.dumps), st.integers(min_value=1, max_value=4), st.integers(min_value=1, max_value=3))
@settings(max_examples=2_000, deadline=None)
def test_what_needs_no_scan_is_what_the_scan_would_pass(text: str, max_depth: int, max_keys: int) -> None:
    def outcome() -> Any:
        try:
            return repr(loads(text.encode(), max_depth=max_depth, max_keys=max_keys))
        except BadJSON as error:
            return error.message

    found = outcome()
    with mock.patch.object(strict_json, "_is_harmless", return_value=False):
        assert outcome() == found
