"""Hostile and merely careless texts: each is refused at its place, quickly, and nothing changes its meaning."""

import contextlib
import json
import time
from typing import Any

import pytest
import yaml

from workflows.language.loader import LIMIT, _parse_yaml, load
from workflows.language.strictness import LoadError

LOADERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]

REFUSED = {
    "alias": ("a: &x [1]\nb: *x\n", "anchors are not allowed; remove `&x`"),
    "alias alone": ("b: *x\n", "aliases are not allowed"),
    "merge by alias": ("a: {<<: *x}\n", "aliases are not allowed"),
    "billion laughs": ("a: &a [1,1]\nb: &b [*a,*a]\nc: [*b,*b]\n", "anchors are not allowed"),
    "tag": ("a: !!python/object/apply:os.system ['true']\n", "tags are not allowed"),
    "local tag": ("a: !thing 1\n", "tags are not allowed"),
    "string tag": ("a: !!str 1\n", "tags are not allowed"),
    "duplicate key": ("do: 1\nif: 2\ndo: 3\n", "the key `do` is there twice"),
    "number as key": ("a:\n  1: x\n", 'the key `1` is not text; write "1"'),
    "null as key": ("~: x\n", "is not text"),
    "boolean as key": ("true: x\n", "is not text"),
    "list as key": ("? [a]\n: x\n", "a key must be text"),
    "object as key": ("{a: 1}: x\n", "a key must be text"),
    "not a number": ("a: .nan\n", "`.nan` is not a number of JSON"),
    "infinity": ("a: -.inf\n", "`-.inf` is not a number of JSON"),
    "overflow": ("a: 1e999\n", "the number is not finite"),
    "large integer": ("a: 9007199254740993\n", "beyond 2^53 - 1"),
    "large hexadecimal": ("a: 0xffffffffffffffff\n", "beyond 2^53 - 1"),
    "nul": ('a: "\\0"\n', "U+0000"),
    "nul in a key": ('"\\0": 1\n', "U+0000"),
    "surrogate": ('a: "\\ud800"\n', ""),
    "no such character": ('a: "\\UFFFFFFFF"\n', ""),
    "control character": ("a: \x01\n", ""),
    "second document": ("a: 1\n---\nb: 2\n", "second document"),
    "tab": ("a:\n\tb: 1\n", ""),
    "unclosed": ("a: [1, 2\n", ""),
    "deep lists": ("a: " + "[" * 10_000, "nested deeper than 64 levels"),
    "deep objects": ("{a: " * 10_000, ""),
    "deep blocks": ("\n".join(" " * level + "a:" for level in range(300)), "nested deeper than 64 levels"),
    "deep dashes": ("- " * 5_000, "nested deeper than 64 levels"),
    "question marks": ("? " * 5_000, ""),
}


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_hostile_yaml_text_is_refused_with_its_place(text: str, reason: str, loader: Any) -> None:
    with pytest.raises(LoadError) as caught:
        _parse_yaml(text, loader)
    assert reason in caught.value.reason
    assert len(str(caught.value)) < 300
    assert caught.value.line >= 1
    assert caught.value.column >= 1


@pytest.mark.parametrize("text", ["", "# only a comment\n", "[]", "- do: x\n", "just text", "null", "1", '"a"'])
def test_a_text_that_is_not_an_object_is_refused(text: str) -> None:
    with pytest.raises(LoadError, match="not an object"):
        load(text)


def test_the_place_is_that_of_the_mistake() -> None:
    with pytest.raises(LoadError) as caught:
        load("document:\n  name: a\n  name: b\n")
    assert (caught.value.line, caught.value.column) == (3, 3)
    with pytest.raises(LoadError) as caught:
        load('{"a": 1,\n "b": {"c": 1, "c": 2}}')
    assert (caught.value.line, caught.value.column) == (2, 16)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: 1", {"on": 1}),
        ("a: yes", {"a": "yes"}),
        ("a: no", {"a": "no"}),
        ("a: off", {"a": "off"}),
        ("a: 12:30:00", {"a": "12:30:00"}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("a: 2026-01-01T00:00:00Z", {"a": "2026-01-01T00:00:00Z"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 1.0.0", {"a": "1.0.0"}),
        ("a: 010", {"a": 10}),
        ("a: 0o10", {"a": 8}),
        ("a: 0x10", {"a": 16}),
        ("a: 0b1", {"a": "0b1"}),
        ("a: 1.5e3", {"a": 1500.0}),
        ("a: .5", {"a": 0.5}),
        ("a: -0.0", {"a": 0.0}),
        ("a: 'true'", {"a": "true"}),
        ("a: True", {"a": True}),
        ("a:", {"a": None}),
        ("a: ~", {"a": None}),
        ("<<: 1", {"<<": 1}),
        ("=: 1", {"=": 1}),
        ("a: ${ .x }", {"a": "${ .x }"}),
        ("a: |\n  ${ .x\n  | .y }\n", {"a": "${ .x\n| .y }\n"}),
        ('a: "\\u00e9\\ud83d"', None),
        ("a: 😀", {"a": "😀"}),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text: str, value: Any, loader: Any) -> None:
    if value is None:
        with pytest.raises(LoadError):
            _parse_yaml(text, loader)
    else:
        assert json.dumps(_parse_yaml(text, loader)) == json.dumps(value)


HOSTILE_JSON = {
    "duplicate": '{"a": 1, "a": 2}',
    "duplicate by escape": '{"a": 1, "\\u0061": 2}',
    "nan": '{"a": NaN}',
    "infinity": '{"a": -Infinity}',
    "overflow": '{"a": 1e999}',
    "large integer": '{"a": 9007199254740992}',
    "digits": '{"a": ' + "9" * 100_000 + "}",
    "nul": '{"a": "\\u0000"}',
    "nul in a key": '{"\\u0000": 1}',
    "surrogate": '{"a": "\\ud800"}',
    "deep": '{"a":' * 10_000,
    "deep list": '{"a":' + "[" * 10_000,
    "two": '{"a": 1} {"b": 2}',
    "trailing comma": '{"a": 1,}',
    "single quotes": "{'a': 1}",
    "comment": '{"a": 1} // x',
    "quotes": "{" + '"' * 20_001,
    "unclosed": '{"a": "' + "x" * 1000,
    "backslashes": '{"a": "' + "\\" * 20_001,
}


@pytest.mark.parametrize("text", HOSTILE_JSON.values(), ids=HOSTILE_JSON.keys())
def test_a_hostile_json_text_is_refused(text: str) -> None:
    with pytest.raises(LoadError):
        load(text)


def test_json_means_what_it_says() -> None:
    text = ' {"a": [1, 1.5, "x\\ud83d\\ude00", null, true], "b": {"a": -0.0}}'
    assert json.dumps(load(text)) == json.dumps({"a": [1, 1.5, "x😀", None, True], "b": {"a": 0.0}})


def test_a_text_over_the_limit_is_refused_by_bytes() -> None:
    with pytest.raises(LoadError, match="the limit is 262144"):
        load("a: " + "é" * (LIMIT // 2))
    with pytest.raises(LoadError, match="half of a surrogate pair"):
        load("a: \ud800")


@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "{",
        "]",
        "- ",
        "? ",
        ": ",
        "a: ",
        "a:\n ",
        '"',
        "'",
        "&a ",
        "*a ",
        "!",
        "%",
        "|\n",
        ">",
        "#",
        "\\",
        ",",
        "a,",
        "[a,",
        "{a: ",
        "{\n",
        "- - ",
        "--- ",
        "\n",
        " ",
        "\t",
        "é",
        "- a\n",
        "a b ",
        '{"',
        '{"a":',
        '{"a",',
        "{[",
        "{1",
    ],
)
def test_no_repetition_takes_long(unit: str) -> None:
    text = (unit * LIMIT)[: LIMIT // len(unit.encode())]
    started = time.monotonic()
    with contextlib.suppress(LoadError):
        load(text)
    assert time.monotonic() - started < 4


def test_many_keys_do_not_take_long() -> None:
    text = json.dumps({"do": {f"k{number}": number for number in range(14_000)}})
    started = time.monotonic()
    assert load(text) == load("do:\n" + text[7:-2].replace(", ", "\n").replace("{", "").replace('"', " "))
    assert time.monotonic() - started < 4
