# ruff: noqa: E501
"""Loops, forks, tries, children: what is accepted, and what is refused where and with which remedy."""

from typing import Any

import pytest

from tests.unit.language.support import document, problems, texts

RETRIES = {"gentle": {"delay": {"seconds": 1}, "limit": {"attempt": {"count": 3}}}}


@pytest.mark.parametrize(
    "tasks",
    [
        "- a: {for: {in: .items}, do: [{b: {set: {x: '${ $item }', n: '${ $index }'}}}]}",
        "- a: {for: {each: pet, in: '${ .pets }', at: n}, while: '$pet.ok and $n < 3', do: [{b: {if: $pet.ok, set: '${ $pet }'}}]}",
        "- a: {for: {in: [1, {x: '${ .y }'}]}, do: []}",
        "- a: {for: {in: .}, do: [{b: {for: {each: inner, at: at, in: $item}, do: [{c: {set: {x: '${ [$item, $inner, $index, $at] }'}}}]}}]}",
        "- a: {fork: {branches: [{b: {set: {}, then: exit}}, {c: {do: [], then: end}}]}}",
        "- a: {fork: {compete: true, branches: [{b: {wait: PT1S, then: continue}}]}}",
        "- a: {try: [{b: {set: {}}}], catch: {}}",
        "- a: {try: [], catch: {errors: {with: {type: t, status: 404, instance: /do/0, title: t, detail: d}}, as: problem, when: $problem.status == 404, exceptWhen: .status == 500, do: [{c: {set: {x: '${ $problem.title }'}}}], then: end}}",
        "- a: {try: [], catch: {then: b}}\n- c: {set: {}, then: end}\n- b: {set: {}}",
        "- a: {try: [], catch: {retry: gentle}}",
        "- a: {try: [], catch: {retry: {when: $error.status == 503, exceptWhen: .x, delay: '${ $context.pause }', backoff: {exponential: {}}, jitter: {from: PT0S, to: {seconds: 2}}, limit: {attempt: {count: 3, duration: PT10S}, duration: PT1M}}}}",
        "- a: {try: [], catch: {retry: {delay: PT1S, limit: {duration: PT1H}}}}",
        "- a: {try: [], catch: {retry: {limit: {attempt: {count: 1}}}}}",
        "- a: {do: [], timeout: {after: '${ .patience }'}, metadata: {dotdo: {saga: true}}}",
        "- a: {run: {workflow: {namespace: demo, name: invoice, version: latest, input: {id: '${ .id }'}}, await: false}}",
        "- a: {run: {workflow: {namespace: demo, name: invoice, version: 2.0.0, input: '${ . }'}}}",
        "- a: {run: {workflow: {namespace: demo, name: story, version: 1.0.0}}}",
        "- a: {run: {workflow: {namespace: demo, name: story, version: latest}}}",
    ],
)  # fmt: skip
def test_blocks_that_are_right(tasks: str) -> None:
    assert texts(tasks, use={"retries": RETRIES}) == []


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ("- a: {for: {in: .x}}", "/do/0/a: `do` is missing"),
        ("- a: {for: {}, do: []}", "/do/0/a/for: `in` is missing"),
        ("- a: {for: {in: {x: 1}}, do: []}", "/do/0/a/for/in: this must be an expression; found an object"),
        ("- a: {for: {in: .x, eech: y}, do: []}", "/do/0/a/for/eech: `eech` is not a key of this object. Did you mean `each`?"),
        ("- a: {for: {in: .x, each: my-item}, do: []}", '/do/0/a/for/each: this cannot name a variable; found "my-item"; expected a letter or _, then letters, digits and _; without $'),
        ("- a: {for: {in: .x, each: $item}, do: []}", '/do/0/a/for/each: this cannot name a variable; found "$item"'),
        ("- a: {for: {in: .x, each: input}, do: []}", "/do/0/a/for/each: `$input` means something else already. Choose another name."),
        ("- a: {for: {in: .x, at: item}, do: []}", "/do/0/a/for/at: `$item` is the other variable of this block"),
        ("- a: {for: {in: .x}, while: $nope, do: []}", '/do/0/a/while: the expression is wrong: $nope is not defined (line 1, column 1); found "$nope". Available here: $context, $index, $input, $item, $runtime, $task, $workflow.'),
        ("- a: {for: {in: $item}, do: []}", "/do/0/a/for/in: the expression is wrong: $item is not defined"),
        ("- a: {for: {in: .x}, do: [], output: {as: $item}}", "/do/0/a/output/as: the expression is wrong: $item is not defined"),
        ("- a: {for: {in: .x}, do: [{b: {set: {}, then: c}}]}\n- c: {set: {}}", "/do/0/a/do/0/b/then: `c` is in another list"),
        ("- a: {for: {in: .x}, do: [], while: 1}", "/do/0/a/while: this must be an expression; found 1"),
        ("- a: {set: {}, while: .x}", "/do/0/a/while: `while` is not a key of this object"),
        ("- a: {fork: {}}", "/do/0/a/fork: `branches` is missing"),
        ("- a: {fork: {branches: []}}", "/do/0/a/fork/branches: a fork needs a branch"),
        ("- a: {fork: {branches: {b: {set: {}}}}}", "/do/0/a/fork/branches: this must be a list of tasks; found an object; expected - name: {…}"),
        ("- a: {fork: {branches: [{b: {set: {}}}], compete: 'yes'}}", '/do/0/a/fork/compete: `compete` must be true or false; found "yes"'),
        ("- a: {fork: {branches: [{b: {set: {}, then: c}}, {c: {set: {}}}]}}", '/do/0/a/fork/branches/0/b/then: a branch cannot go to another branch; found "c". Put both into one branch, a `do`.'),
        ("- a: {fork: {branches: [{b: {set: {}, then: contineu}}]}}", '/do/0/a/fork/branches/0/b/then: there is no such task in this list; found "contineu". Did you mean `continue`?'),
        ("- a: {fork: {branches: [{b: {switch: [{x: {then: z}}]}}]}}\n- z: {set: {}}", '/do/0/a/fork/branches/0/b/switch/0/x/then: there is no such task in this list; found "z"'),
        ("- a: {try: []}", "/do/0/a: `catch` is missing"),
        ("- a: {try: {}, catch: {}}", "/do/0/a/try: this must be a list of tasks"),
        ("- a: {try: [], catch: {error: {}}}", "/do/0/a/catch/error: `error` is not a key of this object. Did you mean `errors`?"),
        ("- a: {try: [], catch: {errors: {wit: {type: x}}}}", "/do/0/a/catch/errors/wit: `wit` is not a key of this object. Did you mean `with`?"),
        ("- a: {try: [], catch: {errors: {with: {details: x}}}}", "/do/0/a/catch/errors/with/details: `details` is not a key of this object. Did you mean `detail`?"),
        ("- a: {try: [], catch: {errors: {with: {status: '404'}}}}", '/do/0/a/catch/errors/with/status: `status` is wrong; found "404"'),
        ("- a: {try: [], catch: {as: context}}", "/do/0/a/catch/as: `$context` means something else already"),
        ("- a: {try: [], catch: {as: e, when: $error.status == 1}}", "/do/0/a/catch/when: the expression is wrong: $error is not defined"),
        ("- a: {try: [], catch: {}, output: {as: $error}}", "/do/0/a/output/as: the expression is wrong: $error is not defined"),
        ("- a: {try: [{b: {set: '${ $error }'}}], catch: {}}", "/do/0/a/try/0/b/set: the expression is wrong: $error is not defined"),
        ("- a: {try: [], catch: {then: nowhere}}", '/do/0/a/catch/then: there is no such task in this list; found "nowhere"'),
        ("- a: {try: [], catch: {do: [{b: {set: {}, then: a}}]}}", "/do/0/a/catch/do/0/b/then: `a` is in another list"),
        ("- a: {try: [], catch: {retry: gentel}}", "/do/0/a/catch/retry: `use.retries` has no `gentel`. Did you mean `gentle`?"),
        ("- a: {try: [], catch: {retry: {}}}", "/do/0/a/catch/retry: retries without a limit would never end. Give it `limit: {attempt: {count: 5}}` or `limit: {duration: PT1H}`."),
        ("- a: {try: [], catch: {retry: {delay: PT1S, limit: {attempt: {duration: PT1S}}}}}", "/do/0/a/catch/retry: retries without a limit would never end"),
        ("- a: {try: [], catch: {retry: {limit: {duration: PT1H}}}}", "/do/0/a/catch/retry: retries without a count need a delay. Give it a `delay`, or `limit: {attempt: {count: 5}}`."),
        ("- a: {try: [], catch: {retry: {limit: {attempt: {count: 0}}}}}", "/do/0/a/catch/retry/limit/attempt/count: this is not a number of retries; found 0; expected 1 to 10000 retries after the first attempt"),
        ("- a: {try: [], catch: {retry: {limit: {attempts: {count: 1}}}}}", "/do/0/a/catch/retry/limit/attempts: `attempts` is not a key of this object. Did you mean `attempt`?"),
        ("- a: {try: [], catch: {retry: {delay: P1M, limit: {attempt: {count: 1}}}}}", "/do/0/a/catch/retry/delay: `P1M`: years and months have no fixed length"),
        ("- a: {try: [], catch: {retry: {backoff: {expontial: {}}, limit: {attempt: {count: 1}}}}}", "/do/0/a/catch/retry/backoff/expontial: `expontial` is not a key of this object. Did you mean `exponential`?"),
        ("- a: {try: [], catch: {retry: {backoff: {}, limit: {attempt: {count: 1}}}}}", "/do/0/a/catch/retry/backoff: this needs exactly one of `constant`, `linear`, `exponential`"),
        ("- a: {try: [], catch: {retry: {backoff: {linear: {by: 2}}, limit: {attempt: {count: 1}}}}}", "/do/0/a/catch/retry/backoff/linear: a back-off takes no parameters"),
        ("- a: {try: [], catch: {retry: {jitter: {from: PT2S, to: PT1S}, limit: {attempt: {count: 1}}}}}", "/do/0/a/catch/retry/jitter: `from` is longer than `to`. Exchange them."),
        ("- a: {try: [], catch: {retry: {jitter: {from: PT2S}, limit: {attempt: {count: 1}}}}}", "/do/0/a/catch/retry/jitter: `to` is missing"),
        ("- a: {set: {}, timeout: slow}", "/do/0/a/timeout: `use.timeouts` has no `slow`. Define it under `use.timeouts`."),
        ("- a: {set: {}, timeout: {after: PT0S}}", '/do/0/a/timeout/after: this is too short; found "PT0S"; expected 0.001 s or more'),
        ("- a: {set: {}, timeout: {after: 5}}", "/do/0/a/timeout/after: a duration is an object such as {minutes: 5}"),
        ("- a: {set: {}, timeout: PT5S}", "/do/0/a/timeout: `use.timeouts` has no `PT5S`"),
        ("- a: {set: {}, timeout: {after: '${ $item }'}}", "/do/0/a/timeout/after: the expression is wrong: $item is not defined"),
        ("- a: {run: {}}", "/do/0/a/run: this needs exactly one of `workflow`"),
        ("- a: {run: {shell: {command: ls}}}", "/do/0/a/run/shell: `shell` is not supported. A document cannot bring code with it. Write a Python action and call it."),
        ("- a: {run: {script: {language: js, code: x}}}", "/do/0/a/run/script: `script` is not supported"),
        ("- a: {run: {container: {image: x}}}", "/do/0/a/run/container: `container` is not supported"),
        ("- a: {run: {workflow: {namespace: demo, name: invoise, version: latest}}}", "/do/0/a/run/workflow/name: there is no published workflow `invoise` in the namespace `demo`. Did you mean `invoice`?"),
        ("- a: {run: {workflow: {namespace: other, name: invoice}}}", "/do/0/a/run/workflow/name: there is no published workflow `invoice` in the namespace `other`"),
        ("- a: {run: {workflow: {namespace: demo, name: invoice, version: 3.0.0}}}", '/do/0/a/run/workflow/version: `invoice` has no version 3.0.0; found "3.0.0"; expected 2.1.0 or 2.0.0'),
        ("- a: {run: {workflow: {namespace: demo, name: invoice, version: ^2.0.0}}}", "/do/0/a/run/workflow/version: a version must be exact, or latest"),
        ("- a: {run: {workflow: {namespace: demo, name: '${ .x }'}}}", "/do/0/a/run/workflow/name: a workflow is named by a text, not by an expression"),
        ("- a: {run: {workflow: {name: invoice}}}", "/do/0/a/run/workflow: `namespace` is missing"),
        ("- a: {run: {workflow: {namespace: demo, name: invoice, input: 5}}}", "/do/0/a/run/workflow/input: `input` must be an object or an expression in ${ }; found 5"),
        ("- a: {run: {workflow: {namespace: demo, name: invoice}, await: 1}}", "/do/0/a/run/await: `await` must be true or false; found 1"),
    ],
)  # fmt: skip
def test_blocks_that_are_wrong(tasks: str, expected: str) -> None:
    found = texts(tasks, use={"retries": RETRIES})
    assert len(found) == 1, found
    assert found[0].startswith(expected)


def test_r8_a_variable_ends_with_its_block() -> None:
    loop = "- a: {for: {in: .x}, do: [{b: {set: {}}}]}\n"
    assert texts(f"{loop}- c: {{set: '${{ $item }}'}}")[0].startswith("/do/1/c/set: the expression is wrong: $item")
    caught = "- a: {try: [], catch: {as: e, do: [{b: {for: {in: $e.all}, do: [{c: {set: '${ [$e, $item] }'}}]}}]}}"
    assert texts(caught) == []


def test_a_raise_behind_a_try_that_goes_elsewhere_is_reached() -> None:
    assert texts("- a: {try: [], catch: {then: c}, then: end}\n- c: {set: {}}") == []
    (found,) = texts("- a: {try: [], catch: {}, then: end}\n- c: {set: {}}")
    assert found.startswith("/do/1/c: nothing leads to this task")


@pytest.mark.parametrize("place", ["do", "fork", "try", "catch", "foreach"])
def test_names_are_checked_in_every_list(place: str) -> None:
    inside = "[{x: {set: {}}}, {x: {set: {}}}]"
    tasks = {
        "do": f"- a: {{do: {inside}}}",
        "fork": f"- a: {{fork: {{branches: {inside}}}}}",
        "try": f"- a: {{try: {inside}, catch: {{}}}}",
        "catch": f"- a: {{try: [], catch: {{do: {inside}}}}}",
        "foreach": f"- a: {{listen: {{to: {{any: []}}}}, foreach: {{do: {inside}}}}}",
    }[place]
    (found,) = texts(tasks)
    assert found.endswith("/1/x: there is another task `x` in this list. Rename one.")


def test_a_fork_has_a_thousand_branches_at_most() -> None:
    branches: list[dict[str, Any]] = [{f"b{number}": {"set": {}}} for number in range(1_001)]
    assert problems(document("- a: {set: {}}") | {"do": [{"a": {"fork": {"branches": branches[:-1]}}}]}) == []
    found = problems(document("- a: {set: {}}") | {"do": [{"a": {"fork": {"branches": branches}}}]})
    assert found[0].pointer == "/do/0/a/fork/branches"
    assert "the limit is 1000" in found[0].message
    assert "map" in found[0].suggestion


def test_lists_of_all_kinds_count_as_nesting() -> None:
    nested: Any = [{"x": {"set": {}}}]
    for _ in range(11):
        nested = [{"a": {"try": nested, "catch": {}}}]
    for _ in range(5):
        nested = [{"a": {"for": {"in": "."}, "do": nested}}]
    found = problems(document("- a: {set: {}}") | {"do": nested})
    assert [problem.message for problem in found] == ["task lists are nested deeper than 16 levels"]


def test_tasks_in_all_lists_count() -> None:
    branches: list[dict[str, Any]] = [{f"b{number}": {"set": {}}} for number in range(999)]
    fork = {"fork": {"branches": branches}}
    assert problems(document("- a: {set: {}}") | {"do": [{"a": fork}, {"b": fork}]}) == []
    (found,) = problems(document("- a: {set: {}}") | {"do": [{"a": fork}, {"b": fork}, {"c": {"set": {}}}]})
    assert found.message == "the document has 2001 tasks; the limit is 2000"


def test_a_place_must_fit_the_row_of_a_step() -> None:
    name = "n" * 99
    nested: Any = [{name: {"set": {}}}]
    for _ in range(4):
        nested = [{name: {"for": {"in": "."}, "do": nested}}]
    (found,) = problems(document("- a: {set: {}}") | {"do": nested})
    assert found.message == f"its place is {5 * 105} characters long; the limit is 500"
    assert found.suggestion == "Use shorter names."
