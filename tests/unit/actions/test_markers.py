import base64
from collections.abc import Mapping
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from actions import ActionError, markers
from actions.markers import shorten, substitute

KEYS = [f"k{n}:" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2)]
PARTS = {"shop": {"token": "canary"}, "crm": {"username": "ann", "password": "p&q"}}


@pytest.fixture(autouse=True)
def _keys(settings: Settings) -> None:
    settings.SECRETS_KEYS = KEYS[:1]


def reveal(name: str) -> Mapping[str, str]:
    return PARTS[name]


def mark(name: str = "shop", part: str = "token") -> str:
    return markers._marker(name, part)


def test_a_marker_is_replaced_wherever_it_is_in_a_text() -> None:
    value = {"a": [f"Bearer {mark()}", 7, None], "b": {"c": f"{mark()}{mark('crm', 'password')}"}, "d": "plain"}
    assert substitute(value, ["shop", "crm"], reveal) == {
        "a": ["Bearer canary", 7, None],
        "b": {"c": "canaryp&q"},
        "d": "plain",
    }


def test_a_marker_is_the_same_for_every_evaluation_and_another_for_every_secret() -> None:
    assert mark() == mark()
    assert len({mark(), mark("shop2"), mark("shop", "token2"), mark("sho", "p")}) == 4


def test_a_marker_survives_a_url_and_says_what_it_is() -> None:
    from urllib.parse import quote

    assert quote(mark(), safe="") == mark()
    assert shorten({"a": [f"x {mark()} y", 1]}) == {"a": ["x «secret shop.token» y", 1]}


@pytest.mark.parametrize("names", [[], ["crm"], ["shop-2"]])
def test_a_secret_that_the_workflow_does_not_name_is_not_given(names: list[str]) -> None:
    assert substitute(mark(), names, reveal) == mark()


def test_a_guessed_marker_is_a_text_like_any_other() -> None:
    for forged in ("secret~shop~token~" + "0" * 32, mark()[:-1] + ("0" if mark()[-1] != "0" else "1"), "secret~shop"):
        assert substitute(forged, ["shop"], reveal) == forged


def test_a_marker_made_before_a_rotation_still_stands_for_its_secret(settings: Settings) -> None:
    before = mark()
    settings.SECRETS_KEYS = KEYS[::-1]
    assert mark() != before
    assert substitute([before, mark()], ["shop"], reveal) == ["canary", "canary"]
    settings.SECRETS_KEYS = KEYS[1:]
    assert substitute(before, ["shop"], reveal) == before


def test_a_part_that_is_gone_is_an_error_and_no_text() -> None:
    with pytest.raises(ActionError, match="no part 'gone'") as error:
        substitute(mark("crm", "gone"), ["crm"], reveal)
    assert error.value.code == "secret_refused"


def test_what_is_revealed_is_not_read_again() -> None:
    nested: dict[str, Any] = {"shop": {"token": mark("crm", "password")}}
    assert substitute(mark(), ["shop", "crm"], nested.__getitem__) == mark("crm", "password")


def test_each_secret_is_asked_for_once_and_only_when_it_occurs() -> None:
    asked: list[str] = []

    def counting(name: str) -> Mapping[str, str]:
        asked.append(name)
        return PARTS[name]

    substitute([mark(), mark(), mark()], ["shop", "crm"], counting)
    assert asked == ["shop"]
