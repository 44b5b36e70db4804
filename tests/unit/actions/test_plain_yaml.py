from typing import Any

import pytest
import yaml

from actions.handlers import plain_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: {b: [1, -2, true, null, ~, x]}", {"a": {"b": [1, -2, True, None, None, "x"]}}),
        ("a:\nb: ''\n", {"a": None, "b": ""}),
        ("200: {1.5: 1.5, 2026-01-01: 2026-01-01}", {"200": {"1.5": "1.5", "2026-01-01": "2026-01-01"}}),
        ("- 'true'\n- \"1\"\n- !!str 1\n- 012\n- 1e3\n- on\n", ["true", "1", "1", "012", "1e3", "on"]),
        ("a: |\n  two\n  lines\nb: >\n  folded\n  text\n", {"a": "two\nlines\n", "b": "folded text\n"}),
        ("--- 1\n--- 2\n", 1),
        ("", None),
        ("a: 1\na: 2\n", {"a": 2}),
        ("? a\n: {}\n? b\n: []\n", {"a": {}, "b": []}),
    ],
)
def test_plain_yaml_is_read_as_data(text: str, value: Any) -> None:
    assert plain_yaml.load(text) == value


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "a: &x [1]\nb: *x\n", "a: &x {}\nb: {<<: *x}\n", "{[1]: 2}", "[1",
     "a: b: c", "\x00", "a: \ud800"],
)  # fmt: skip
def test_what_would_crash_expand_or_confuse_is_an_error(text: str) -> None:
    with pytest.raises((yaml.YAMLError, UnicodeError)):
        plain_yaml.load(text)


def test_a_tag_constructs_nothing() -> None:
    assert plain_yaml.load("a: !!python/object/apply:os.system [echo]") == {"a": ["echo"]}
