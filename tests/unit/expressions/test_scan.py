"""Forbidden names are found where they are code, and only there."""

import pytest

from workflows.expressions import forbidden, mentions


@pytest.mark.parametrize(
    "text",
    [
        "input",
        "[inputs]",
        "$ENV",
        "$ENV.PATH",
        "{$ENV}",
        "env.PATH",
        "env",
        "halt",
        '"x" | halt_error',
        "halt_error(1)",
        "debug",
        "stderr",
        "modulemeta",
        "get_search_list",
        "input_filename",
        "$__loc__",
        "{$__loc__}",
        "input_line_number",
        'import "a" as $b; .',
        'include "a"; .',
        '"a \\(input) b"',
        '"\\("\\(env)")"',
        ". as $x | input",
        "{a: input}",
        "{(input): 1}",
        ".[input:2]",
        "# harmless\ninput",
        '@base64 "\\(env)"',
        "$ ENV",
        "def f: input; f",
        '["}", input]',
    ],
)
def test_a_forbidden_name_is_refused(text: str) -> None:
    assert "is not allowed in expressions" in (forbidden(text) or "")


@pytest.mark.parametrize(
    "text",
    [
        '"input"',
        ".input",
        ".a.env",
        '."halt"',
        '.["debug"]',
        "{input: 1}",
        "{input}",
        "{a: 1, env: 2}",
        "# input\n.",
        "$input",
        "$environment",
        "inputs_of_mine",
        '"\\\\(input)"',
        '"a \\(.env) input"',
        "{import: 1}",
        "# a \\\n input\n.",
        '"\\"input"',
    ],
)
def test_a_harmless_use_of_the_same_word_is_fine(text: str) -> None:
    assert forbidden(text) is None


def test_an_expression_may_not_be_endless() -> None:
    assert forbidden("." + " " * 4095) is None
    assert "longer than 4096 bytes" in (forbidden("." + " " * 4096) or "")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("$a.b + $c", {"a", "c"}),
        ('"\\($a) $b"', {"a"}),
        ("# $a\n$b", {"b"}),
        (".a", set()),
        ("{$a}", {"a"}),
        ('"\\("\\($deep)")"', {"deep"}),
        ('"open \\($a', {"a"}),
        ('"', set()),
    ],
)
def test_mentioned_variables_are_found_in_code_only(text: str, names: set[str]) -> None:
    assert mentions(text) == names
