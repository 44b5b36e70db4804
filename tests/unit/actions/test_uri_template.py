from typing import Any

import pytest

from actions import ActionError
from actions.handlers.uri_template import expand


@pytest.mark.parametrize(
    ("template", "variables", "uri"),
    [
        ("https://a.example/{id}", {"id": 7}, "https://a.example/7"),
        ("https://a.example/x?status={status}", {"status": "a b&c"}, "https://a.example/x?status=a%20b%26c"),
        ("https://a.example/{pet.id}", {"pet.id": "dotted", "pet": {"id": "nested"}}, "https://a.example/dotted"),
        ("https://a.example/{missing}/x", {}, "https://a.example//x"),
        ("https://a.example/{id}", None, "https://a.example/"),
        ("https://a.example/{a}{b}{c}", {"a": True, "b": None, "c": 1.5}, "https://a.example/true1.5"),
        ("https://a.example/{id}", {"id": "../../etc?x#y"}, "https://a.example/..%2F..%2Fetc%3Fx%23y"),
        ("https://{host}/", {"host": "evil.com/a@b"}, "https://evil.com%2Fa%40b/"),
        ("https://a.example/{id}", {"id": "é~-._"}, "https://a.example/%C3%A9~-._"),
        ("https://a.example/{a}", {"a": "{b}", "b": "no"}, "https://a.example/%7Bb%7D"),
    ],
)
def test_a_variable_fills_its_place_and_cannot_leave_it(template: str, variables: Any, uri: str) -> None:
    assert expand(template, variables) == uri


@pytest.mark.parametrize(
    ("template", "variables", "why"),
    [
        ("https://a.example/{id}", {"id": [1]}, "is an array"),
        ("https://a.example/{id}", {"id": {"a": 1}}, "is an object"),
        ("https://a.example/{?id}", {"id": 1}, "operators"),
        ("https://a.example/{+id}", {"id": 1}, "operators"),
        ("https://a.example/{id*}", {"id": 1}, "operators"),
        ("https://a.example/{id:3}", {"id": 1}, "operators"),
        ("https://a.example/{}", {}, "operators"),
        ("https://a.example/{id", {"id": 1}, "braces"),
        ("https://a.example/{id}/x", {"id": ".."}, "another path"),
        ("https://a.example/.{dot}/x", {"dot": "."}, "another path"),
    ],
)
def test_a_template_that_means_something_else_is_refused(template: str, variables: Any, why: str) -> None:
    with pytest.raises(ActionError, match=why) as error:
        expand(template, variables)
    assert error.value.code == "invalid_template"
