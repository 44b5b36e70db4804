"""Differences of values: only what changed, with its lines counted, and never an endless comparison."""

from workflows.views.diffs import MOST_LINES, lines


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
