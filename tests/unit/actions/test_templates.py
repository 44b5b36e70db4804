from typing import Any

import pytest

from actions.errors import ActionError
from actions.handlers import templates

DATA = {"user": {"name": "<Ada>", "tags": ["a", "b"]}, "n": 3, "none": None, "evil": "{{ user.name }}"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hi {{ user.name }}!", "Hi <Ada>!"),
        ("{{user.tags.1}}{{ n }}", "b3"),
        ("[{{ none }}]", "[]"),
        ("{{ user.tags }}", '["a", "b"]'),
        ("no fields", "no fields"),
        ("{{ evil }}", "{{ user.name }}"),
    ],
)
def test_a_path_is_replaced_and_data_is_never_evaluated(template: str, text: str) -> None:
    assert templates.render(template, DATA) == text


def test_html_escapes_what_was_inserted_and_nothing_else() -> None:
    assert templates.render_html("<b>{{ user.name }}</b>", DATA) == "<b>&lt;Ada&gt;</b>"


@pytest.mark.parametrize("path", ["user.nam", "user.tags.2", "user.tags.-1", "n.x", "user.__class__", "user.tags.x"])
def test_a_path_without_a_value_is_an_error_not_a_gap(path: str) -> None:
    with pytest.raises(ActionError, match="missing_field"):
        templates.render("{{ " + path + " }}", DATA)


def test_a_text_that_is_one_field_keeps_the_type_of_its_value() -> None:
    structure = {"a": "{{ n }}", "b": ["x{{ n }}", True], "c": "{{ user.tags }}"}
    assert templates.render_value(structure, DATA) == {"a": 3, "b": ["x3", True], "c": ["a", "b"]}


@pytest.mark.parametrize(
    "template", ["{{ a b }}", "{{ a|upper }}", "{{ a.b() }}", "{{ 1 + 1 }}", "{{", "{% if a %}", "{{ a }", "{{}}"]
)
def test_logic_in_a_template_is_refused_at_publish(template: str) -> None:
    assert next(templates.check({"text": [template]})).pointer == "/text/0"


@pytest.mark.parametrize("template", ["", "{ a }", "{{ a }}", "{{ a.b-c.0 }} {{ d }}"])
def test_plain_templates_pass(template: str) -> None:
    assert list(templates.check(template)) == []


def test_paths_are_listed() -> None:
    structure: Any = {"a": "{{ x.y }}", "b": ["{{ z }} {{ x.y }}"]}
    assert list(templates.paths(structure)) == ["x.y", "z", "x.y"]
