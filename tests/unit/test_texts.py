"""A text that is remembered is the text of that value and no other, and a cursor is written as it always was."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotdo_site.lib import canonical
from workflows import payloads
from workflows.engine.frames import DATA_CELLS
from workflows.payloads import Packer, digest_of, map_cells, text_of

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.just("x" * 5_000)
)
VALUES = st.recursive(SCALARS, lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside), max_leaves=4)
REFERENCES = st.fixed_dictionaries({payloads.REFERENCE: SCALARS})
CELLS = st.sampled_from([*sorted(DATA_CELLS), "key", "i", "timers"])
FRAMES = st.lists(st.dictionaries(CELLS, VALUES | REFERENCES, max_size=3), max_size=3)
BRANCHES = st.fixed_dictionaries({"raw": VALUES, "i": st.integers()})
CURSORS = st.fixed_dictionaries(
    {"frames": FRAMES, "steps": st.integers()},
    optional={"timer": st.text(), "branch": BRANCHES, "ending": st.just({"state": "failed"})},
)
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@UNHURRIED
@given(VALUES)
def test_a_value_that_is_written_again_has_the_same_text(value: Any) -> None:
    assert [text_of(value), text_of(value)] == [canonical.dumps(value)] * 2
    assert digest_of(value) == canonical.digest(value)


def test_values_that_are_equal_to_python_and_not_to_json_do_not_share_a_text() -> None:
    values: list[Any] = [{"n": 1}, {"n": True}, {"n": 1.0}]
    assert [text_of(value) for value in values] == ['{"n":1}', '{"n":true}', '{"n":1.0}']


def test_a_new_value_in_the_place_of_a_forgotten_one_has_a_text_of_its_own() -> None:
    assert [text_of({"n": number}) for number in range(3_000)] == [f'{{"n":{number}}}' for number in range(3_000)]


def test_a_worker_does_not_keep_all_the_texts_that_it_has_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "_texts", payloads._Texts())
    for number in range(100):
        text_of([f"{number}" * 100_000])
        assert sum(len(text) for _, text in payloads._texts.values()) <= payloads._LAST_TEXTS_BYTES
    for number in range(2_000):
        text_of([number])
    assert len(payloads._texts) <= payloads._LAST_TEXTS


@UNHURRIED
@given(CURSORS)
def test_a_cursor_is_written_as_if_each_of_its_cells_was_replaced(cursor: dict[str, Any]) -> None:
    alive = cursor["frames"] or "branch" in cursor or "ending" in cursor
    expected, packer = Packer(), Packer()
    slow = canonical.dumps(map_cells(cursor, expected.reference)) if alive else "{}"
    assert packer.cursor(cursor) == slow
    assert packer.payloads == (expected.payloads if alive else {})
