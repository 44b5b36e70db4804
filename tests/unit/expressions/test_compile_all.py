"""Many expressions compiled at once are judged as each of them alone."""

import pytest

from workflows.expressions import compile_all, compiles
from workflows.expressions.scan import is_whole

NONE: frozenset[str] = frozenset()
GOOD = [
    ".a | length",
    "$input.a + 1",
    "def f: 1; f + .",
    '"\\(.a | "x\\(.b)") {" | length',
    '[.[] | {a: .b, "c)": 1}] # (',
    "1 + 1 # a comment \\",
    "if . then 1 else 2 end",
    ". as [$x] | $x",
    'reduce .[] as $x (0; . + $x) | @text "a\\(.)"',
]
BAD = [
    "",
    "1 +",
    "1) | (2",
    "1), (2",
    ")(",
    "[1",
    "{a: 1]",
    '"abc',
    '"\\(1',
    '"\\(1]"',
    '"a\\',
    ". as $x",
    "def f: 1;",
    "foo",
    "$nope | length",
    "input",
    'import "x" as x; 1',
    "# only a comment",
    "1 end",
]


@pytest.mark.parametrize("bad", BAD)
def test_one_that_is_wrong_is_told_among_others_with_its_own_reason(bad: str) -> None:
    variables = frozenset({"input"})
    wanted = [*((text, variables) for text in GOOD), (bad, variables), (".plain", NONE)]
    found = compile_all(wanted)
    assert found == {key: compiles(*key) for key in wanted}
    assert [text for (text, _), reason in found.items() if reason] == [bad]


def test_each_has_only_the_variables_of_its_place() -> None:
    text = "$item | length"
    assert compile_all([(text, frozenset({"item"})), (text, NONE)]) == {
        (text, frozenset({"item"})): None,
        (text, NONE): "$item is not defined (line 1, column 1)",
    }


def test_a_text_is_whole_when_its_brackets_and_strings_end_in_it() -> None:
    assert all(is_whole(text) for text in GOOD)
    for text in ("1) | (2", ")(", "[1", "{a: 1]", '"abc', '"\\(1', '"\\(1]"', '"a\\'):
        assert not is_whole(text), text


def test_more_than_fit_into_one_program_are_all_judged() -> None:
    wanted = [(f".a{number} | tostring", NONE) for number in range(130)] + [("nope", NONE)]
    found = compile_all(wanted)
    assert [text for (text, _), reason in found.items() if reason] == ["nope"]
    assert len(found) == 131
