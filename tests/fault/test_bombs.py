"""The corpus of hostile texts, by what they try: each ends in an error or a harmless value, and jq answers after it.

`test_sandbox.py` has the bombs that were measured first; here is every other way into files, environment, time,
memory, depth and regular expressions that the manual of jq 1.8 offers, and those that only hurt the compiler.
"""

import json
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.expressions import ExpressionError, compiles, evaluate, evaluation, forbidden
from workflows.expressions.sandbox import Sandbox

OUTSIDE = {
    "the environment": "$ENV",
    "one variable of it": "env.PATH",
    "the environment inside a text": '"\\(env)"',
    "the environment inside a format": '@json "\\($ENV)"',
    "the environment as a key": "{($ENV | tostring): 1}",
    "a JSON file": 'import "passwd" as $p {search: "/etc"}; $p',
    "a module": 'include "a" {search: "/tmp"}; .',
    "what a module says": '"a" | modulemeta',
    "where modules are": "get_search_list",
    "more input": "[inputs]",
    "the name of the input": "input_filename",
    "the arguments of the program": "$__prog_args",
    "where we are": "$__loc__",
    "the end of the process": '"bye" | halt_error',
    "the log": "debug",
    "standard error": "stderr",
}
ENDLESS = {
    "recursion": "def f: f; f",
    "mutual recursion": "def f: def g: f; g; f",
    "until never": "until(false; .)",
    "while ever": "[while(true; .)]",
    "recurse on itself": "[recurse(.)]",
    "an infinite range": "last(range(0; infinite))",
    "an endless search": "first(repeat(1) | select(. == 2))",
    "a label that nobody breaks": "label $out | repeat(1) | select(false)",
    "limit that is never reached": "[limit(1; repeat(empty))]",
    "a long reduction": "reduce range(1e12) as $i (0; . + 1)",
    "a long foreach": "last(foreach range(1e12) as $i (0; . + 1))",
    "substitution of nothing": '[range(1e6)] | map("a" | gsub(""; "b")) | length',
    "products": "[combinations(9)]",
    "path search": "[range(2000)] | [paths(..)] | length | [range(1e10)] | length",
}
GREEDY = {
    "text": '"ab" * 1e9',
    "doubled text": 'reduce range(50) as $i ("ab"; . + .)',
    "doubled array": "reduce range(50) as $i ([1]; . + .)",
    "doubled object": "reduce range(1e9) as $i ({}; .[$i | tostring] = $i)",
    "a far index": "[] | .[1e9] = 1",
    "implode": "[range(1e8) | 97] | implode",
    "join": '[range(1e8)] | join("")',
    "tojson": "[range(1e8)] | tojson",
    "base64": '("a" * 1e8) | @base64',
    "escaping": '("<" * 1e8) | @html',
    "splitting": '("a," * 1e8) | split(",")',
    "padding by format": "1 | [limit(1e9; repeat(.))] | @csv",
    "ranges of ranges": "[range(1e5) | [range(1e5)]]",
    "to_entries": "[range(1e8)] | to_entries",
    "group_by": "[range(1e8)] | group_by(.)",
    "transposing": "[range(1e4) | [range(1e4)]] | transpose",
}
DEEP = {
    "arrays": "reduce range(1e6) as $i (null; [.])",
    "objects": "reduce range(1e6) as $i (null; {a: .})",
    "a path": "setpath([range(1e6) | 0]; 1)",
    "a path of names": 'null | setpath([range(1e5) | "a"]; 1)',
    "parsed text": '("[" * 100000) + ("]" * 100000) | fromjson',
    "merging": "reduce range(1e5) as $i ({}; {a: .}) | . * .",
    "comparing": "reduce range(1e5) as $i (null; [.]) | . == .",
    "sorting": "[reduce range(1e5) as $i (null; [.])] | sort",
    "flattening": "reduce range(1e5) as $i (1; [.]) | flatten",
    "walking": "reduce range(1e5) as $i (1; [.]) | walk(.)",
}
REGEX = {
    "nested stars": '("a" * 40 + "!") | test("^(a+)+$")',
    "alternation": '("a" * 40 + "!") | test("^(a|a)*$")',
    "nested groups": '("a" * 40 + "!") | test("^((a*)*)*$")',
    "back-references": '("a" * 60 + "!") | test("^(a*)*\\\\1\\\\1b$")',
    "lookahead": '("a" * 60 + "!") | test("^(?=(a+)+$)b")',
    "a large count": '"a" | test("(a{1,30000}){1,30000}")',
    "counts of counts": '"a" | test("((a{9,99}){9,99}){9,99}")',
    "scan of everything": '("a" * 1e6) | [scan("")] | length',
    "many matches": '("a" * 1e6) | [match("a"; "g")] | length',
    "deep groups": '"a" | test("(" * 20000 + ")" * 20000)',
    "recursion": '"aaaa" | test("(?<x>a\\\\g<x>)")',
}
COMPILER = {
    "parentheses": "(" * 2_000 + "1" + ")" * 2_000,
    "arrays": "[" * 2_000 + "]" * 2_000,
    "objects": '{"a":' * 800 + "1" + "}" * 800,
    "minus": "-" * 4_000 + "1",
    "dots": "." + "." * 4_000,
    "pipes": "|".join(["."] * 2_000),
    "conditions": "if . then " * 200 + "1" + " else 2 end" * 200,
    "definitions": "".join(f"def f{n}: f{n - 1}; " for n in range(1, 200)) + "f199",
    "doubling definitions": "def f0: 1; " + "".join(f"def f{n}: f{n - 1}, f{n - 1}; " for n in range(1, 40)) + "f39",
    "interpolation": '"\\(' * 400 + "1" + ')"' * 400,
    "alternatives": ". // " * 900 + "1",
    "reductions": "reduce . as $x (.; " * 150 + "." + ")" * 150,
    "patterns": ". as " + "[" * 800 + "$x" + "]" * 800 + " | $x",
    "an open text": '"' + "a" * 4_000,
    "control characters": "\x00\x01\x02",
    "half a character": "\ud800",
}
HARMFUL = {
    f"{kind}: {name}": text
    for kind, texts in (("endless", ENDLESS), ("greedy", GREEDY))
    for name, text in texts.items()
}
OTHERS = {
    f"{kind}: {name}": text
    for kind, texts in (("outside", OUTSIDE), ("deep", DEEP), ("regex", REGEX), ("compiler", COMPILER))
    for name, text in texts.items()
}
LIMIT_S, SLACK_S = 0.3, 2.0


@pytest.fixture(scope="module")
def impatient() -> Iterator[Sandbox]:
    """A sandbox with a short limit: the whole corpus would take a minute with that of production."""
    own = Sandbox(limit_s=LIMIT_S)
    yield own
    own.close()


@pytest.fixture(autouse=True)
def _impatience(impatient: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SANDBOX", impatient)


@pytest.mark.parametrize("text", HARMFUL.values(), ids=HARMFUL.keys())
def test_what_never_ends_or_takes_all_is_stopped_and_jq_answers_after_it(text: str) -> None:
    with _contained(), pytest.raises(ExpressionError):
        evaluate(text, None, {})


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS.keys())
def test_a_hostile_text_ends_and_jq_answers_after_it(text: str) -> None:
    with _contained(), suppress(ExpressionError):
        assert len(json.dumps(evaluate(text, None, {}))) <= 1 << 20


@pytest.mark.parametrize("text", [*OTHERS.values(), *HARMFUL.values()], ids=[*OTHERS.keys(), *HARMFUL.keys()])
def test_a_hostile_text_can_be_checked_at_publish(text: str) -> None:
    with _contained():
        compiles(text)


@contextmanager
def _contained() -> Iterator[None]:
    """Hold what happens inside to its limits: time, our own memory, and a sandbox that answers afterwards."""
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    yield
    assert time.monotonic() - began < LIMIT_S + SLACK_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64_000, "kB of our own memory"
    assert evaluate("[.[] | . + 1]", [1, 2], {}) == [2, 3]


@pytest.mark.parametrize("text", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_what_reaches_outside_is_refused_by_name(text: str) -> None:
    assert forbidden(text)
    assert compiles(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=20) | st.sampled_from(["$ENV", "${ env }", "\\(env)", '" | env | "', "import"]))
def test_text_in_data_is_never_code(text: str) -> None:
    text = text.replace("\0", "")
    assert evaluate("[.]", text, {}) == [text]
    assert evaluate("{a: .a, b: $context}", {"a": text}, {"context": text}) == {"a": text, "b": text}


def test_a_bomb_in_one_thread_delays_others_by_its_limit_only() -> None:
    def explode() -> None:
        with pytest.raises(ExpressionError):
            evaluate("last(range(1e12))", None, {})

    bomb = threading.Thread(target=explode)
    bomb.start()
    time.sleep(0.1)
    began = time.monotonic()
    assert evaluate("1 + 1", None, {}) == 2
    assert time.monotonic() - began < LIMIT_S + SLACK_S
    bomb.join()
