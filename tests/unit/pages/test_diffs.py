"""Differences of values: only what changed, with its lines counted, and never an endless comparison."""

import time

from hypothesis import given
from hypothesis import strategies as st

from workflows.views.diffs import MOST_LINES, lines, of_texts


def test_a_changed_field_is_a_removed_and_an_added_line_with_little_around_it() -> None:
    old = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7}
    found = lines(old, old | {"d": 40})
    assert found is not None
    assert [(line.kind, line.text.strip()) for line in found if line.kind in {"removed", "added"}] == [
        ("removed", '"d": 4,'), ("added", '"d": 40,'),
    ]  # fmt: skip
    assert [line.skipped for line in found if line.kind == "skipped"] == [2, 2]


def test_equal_values_have_no_difference_however_their_keys_are_ordered() -> None:
    assert lines({"a": 1, "b": [2]}, {"b": [2], "a": 1}) == []


def test_what_is_too_large_is_not_compared() -> None:
    assert lines([0] * (MOST_LINES + 1), [1]) is None


def test_lines_that_repeat_do_not_burn_a_worker() -> None:
    begun = time.monotonic()
    assert lines([0] * (MOST_LINES - 2), [0, 1] * (MOST_LINES // 2 - 1)) is None
    assert time.monotonic() - begun < 1


def test_one_change_in_many_equal_lines_is_found_at_its_place() -> None:
    old = ["0,"] * (MOST_LINES - 10)
    found = of_texts(old, [*old[:500], "1,", *old[501:]])
    assert found is not None
    assert [(line.kind, line.old, line.new, line.skipped) for line in found] == [
        ("skipped", None, None, 498), ("same", 499, 499, 0), ("same", 500, 500, 0),
        ("removed", 501, None, 0), ("added", None, 501, 0),
        ("same", 502, 502, 0), ("same", 503, 503, 0), ("skipped", None, None, 487),
    ]  # fmt: skip


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
def test_a_difference_says_all_of_both_texts(old: list[str], new: list[str]) -> None:
    found = of_texts(old, new)
    assert found is not None
    assert bool(found) == (old != new)
    if found:
        assert sum(line.skipped or int(line.kind != "added") for line in found) == len(old)
        assert sum(line.skipped or int(line.kind != "removed") for line in found) == len(new)
    shown = {line.old: line.text for line in found if line.old}
    assert shown == {number: old[number - 1] for number in shown}
    added = {line.new: line.text for line in found if line.new}
    assert added == {number: new[number - 1] for number in added}
