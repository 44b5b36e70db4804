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


def test_a_hidden_value_that_changed_says_so_and_one_that_did_not_does_not() -> None:
    before, after = compared({}, {"token": "1", "pin": "2", "a": 1}, {"token": "9", "pin": "2", "a": 2})
    assert before == {"token": MASK, "pin": MASK, "a": 1}
    assert after == {"token": f"{MASK} (changed)", "pin": MASK, "a": 2}


def test_numbers_and_truth_are_not_mixed_up() -> None:
    assert restored({}, {"ok": 1}, {"ok": True})[0]["ok"] is not True


def test_a_copy_of_an_item_does_not_get_what_was_hidden_in_another_one() -> None:
    stored = [{"name": "a", "token": "1"}, {"name": "b", "token": "2"}]
    seen = shown({}, stored)
    _, problems = restored({}, [seen[1], {"name": "c", "token": MASK}], stored)
    assert [problem.pointer for problem in problems] == ["/1/token"]
