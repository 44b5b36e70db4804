"""Values that are edited as they are shown: what was hidden comes back as it is stored, and never as its stand-in."""

from typing import Any

import pytest

from actions.sensitive import MASK
from workflows.hidden import compared, restored, shown

SECRET = f"secret~shop~token~{'a' * 32}"
SCHEMA = {"properties": {"note": {"x-sensitive": True}}}
STORED = {"amount": 1, "password": "hunter2", "note": {"a": 1}, "url": f"https://x/?t={SECRET}", "ok": True}


def test_what_comes_back_as_it_was_shown_is_what_is_stored() -> None:
    seen = shown(SCHEMA, STORED)
    assert seen["password"] == seen["note"] == MASK
    assert seen["url"] == "https://x/?t=«secret shop.token»"
    assert restored(SCHEMA, seen, STORED) == (STORED, [])
    assert restored(SCHEMA, seen | {"amount": 2}, STORED) == (STORED | {"amount": 2}, [])


def test_another_value_replaces_what_was_hidden_and_a_field_that_is_gone_is_gone() -> None:
    seen = shown(SCHEMA, STORED)
    assert restored(SCHEMA, seen | {"password": "other"}, STORED)[0]["password"] == "other"
    del seen["note"]
    assert "note" not in restored(SCHEMA, seen, STORED)[0]


@pytest.mark.parametrize(
    "wrong",
    [{"amount": MASK}, {"new": MASK}, {"other": {"deep": [MASK]}}, {"url": "https://evil/?t=«secret shop.token»"}],
)
def test_a_stand_in_elsewhere_is_a_problem_at_its_place(wrong: dict[str, Any]) -> None:
    _, problems = restored(SCHEMA, shown(SCHEMA, STORED) | wrong, STORED)
    assert [problem.pointer.split("/")[1] for problem in problems] == list(wrong)


def test_items_that_change_places_keep_what_is_hidden_in_them() -> None:
    stored = [{"name": "a", "token": "1"}, {"name": "b", "token": "2"}]
    first, second = shown({}, stored)
    assert restored({}, [second, first], stored) == ([stored[1], stored[0]], [])
    assert restored({}, [second], stored) == ([stored[1]], [])
    assert restored({}, [first, second | {"name": "c"}], stored)[0][1] == {"name": "c", "token": "2"}


def test_what_could_be_either_of_two_hidden_values_is_asked_for() -> None:
    stored = [{"token": "1"}, {"token": "2"}, {"token": "3"}]
    seen = shown({}, stored)
    assert restored({}, [*seen], stored)[0] == stored, "by place"
    assert len(restored({}, seen[:2], stored)[1]) == 2
    value, problems = restored({}, [{"name": "new"}, *seen], stored)
    assert value[3] == seen[0]
    assert {problem.pointer for problem in problems} == {"/1/token", "/2/token", "/3/token"}


def test_a_hidden_value_that_is_typed_over_says_so_and_one_that_is_kept_does_not() -> None:
    old = {"token": "1", "pin": "2", "a": 1}
    given = {"token": "9", "pin": MASK, "a": 2}
    before, after = compared({}, old, restored({}, given, old)[0], given)
    assert before == {"token": MASK, "pin": MASK, "a": 1}
    assert after == {"token": f"{MASK} (changed)", "pin": MASK, "a": 2}


def test_a_comparison_does_not_tell_whether_a_guess_is_right() -> None:
    old = {"token": "1", "keys": [{"pin": "2"}]}
    wrong, right = ({"token": token, "keys": [{"pin": pin}]} for token, pin in (("8", "9"), ("1", "2")))
    assert compared({}, old, wrong, wrong) == compared({}, old, right, right)


def test_items_that_hide_the_same_are_treated_as_if_they_hid_something_different() -> None:
    same, different = [{"token": "1"}, {"token": "1"}], [{"token": "1"}, {"token": "2"}]
    given = shown({}, same)[:1]
    assert restored({}, given, same) == restored({}, given, different)


def test_a_hidden_value_is_not_put_where_it_would_be_shown() -> None:
    schema = {"prefixItems": [{"x-sensitive": True}, {"type": "string"}]}
    value, problems = restored(schema, ["dummy", MASK], ["s3cret", "plain"])
    assert value == ["dummy", MASK]
    assert [problem.pointer for problem in problems] == ["/1"]
    deep = {"prefixItems": [{"properties": {"a": {"x-sensitive": True}}}]}
    assert restored(deep, [{"b": 1}, {"a": MASK}], [{"a": "s3cret"}])[1]


def test_numbers_and_truth_are_not_mixed_up() -> None:
    assert restored({}, {"ok": 1}, {"ok": True})[0]["ok"] is not True


def test_a_copy_of_an_item_does_not_get_what_was_hidden_in_another_one() -> None:
    stored = [{"name": "a", "token": "1"}, {"name": "b", "token": "2"}]
    seen = shown({}, stored)
    _, problems = restored({}, [seen[1], {"name": "c", "token": MASK}], stored)
    assert [problem.pointer for problem in problems] == ["/1/token"]
