"""Names with stars mean the same to Python and to PostgreSQL."""

import pytest

from workflows.notifications import patterns


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("*", "onboarding", True),
        ("billing-*, onboarding", "onboarding", True),
        ("billing-*, onboarding", "billing-eu", True),
        ("billing-*", "onboarding", False),
        ("billing", "billing-eu", False),
        ("billing_eu", "billing-eu", False),
        ("nothing", "", True),
    ],
)
def test_one_of_the_patterns_must_fit_and_what_has_no_name_fits_any(text: str, name: str, expected: bool) -> None:
    assert patterns.fits(text, name) == expected


def test_a_star_is_all_that_stands_for_other_characters() -> None:
    assert patterns.like("a_b%, x*y *") == [r"a\_b\%", "x%y", "%"]
    assert patterns.wrong("billing-*, a/b, [x]") == ["a/b", "[x]"]
