# ruff: noqa: E501
"""Every problem of a document is told at once, where it is, and with what to do."""

import time
from typing import Any

import pytest

from tests.unit.language.support import document, problems, texts
from workflows.language.kinds import KINDS

STORY = """
- charge:
    call: charge-card:1.2.0@default
    with: {customer_id: "${ .customer.id }", amount: 12.5, currency: EUR}
    export: {as: '$context + {charge: .id}'}
- remember:
    call: datastore.set
    with: {namespace: users, key: "${ $input.user }", value: {status: registered, mail: "${ .mail }"}}
- decide:
    if: .active
    switch:
      - again: {when: '${ .value.welcomeEmailSent }', then: pause}
      - first: {then: continue}
- mail:
    do:
      - send: {call: send-mail, then: exit}
- pause: {wait: PT5S, input: {from: '{a: .b}'}, output: {as: {x: "${ $input.a }"}, schema: {document: {type: object}}}}
- result: {set: {ok: true, id: "${ $context.charge }"}, then: end, metadata: {note: free}}
"""


VALUES: list[Any] = [None, True, 1, "", "x", "${ . }", [], [None], {}, {"": None}, {"error": None}, [{"a": None}], [{}]]


def test_a_sound_document_has_no_problems() -> None:
    data = {"from": "${ .order }", "schema": {"document": {"type": "object"}}}
    assert texts(STORY, input=data, output={"as": ".ok"}, metadata={"any": 1}) == []


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ("- a: {cal: x}", "/do/0/a: nothing says what this task does; expected one of call, do, emit, for, fork, listen, raise, run, set, switch, try, wait. Did you mean `call`?"),
        ("- a: {set: {}, thn: end}", "/do/0/a/thn: `thn` is not a key of this object. Did you mean `then`?"),
        ("- a: {set: {}, call: send-mail}", "/do/0/a/set: a task does one thing, and this one is a `call`. Make it two tasks."),
        ("- a: 5", "/do/0/a: a task must be an object; found 5; expected one of call, do, emit, for, fork, listen, raise, run, set, switch, try, wait"),
        ("- a:\n  set: {}", "/do/0: a task is an object with one key, its name; this one has `a`, `set`. Indent the keys of the task below its name."),
        ("  a: {set: {}}", "/do: this must be a list of tasks; found an object; expected - name: {…}"),
        ("- a: {set: 5}", "/do/0/a/set: `set` must be an object or an expression in ${ }; found 5"),
        ("- a: {set: .x}", '/do/0/a/set: `set` must be an object or an expression in ${ }; found ".x"'),
        ("- a: {wait: P1M}", '/do/0/a/wait: `P1M`: years and months have no fixed length; write days, such as P30D; found "P1M"'),
        ("- a: {wait: {days: 400}}", "/do/0/a/wait: a wait may last 366 days at most, not 400"),
        ("- a: {wait: {hour: 1}}", "/do/0/a/wait: `hour` is not a unit; use days, hours, minutes, seconds, milliseconds"),
        ("- a: {wait: 5}", "/do/0/a/wait: a duration is an object such as {minutes: 5} or a text such as PT5M, not a number; found 5"),
        ("- a: {raise: {error: {type: x}}}", "/do/0/a/raise/error: `status` is missing"),
        ("- a: {raise: {error: {type: x, status: '400'}}}", '/do/0/a/raise/error/status: `status` is wrong; found "400"; expected a number from 100 to 599, or an expression'),
        ("- a: {raise: {error: mine}}", "/do/0/a/raise/error: `use.errors` has no `mine`. Define it under `use.errors`."),
        ("- a: {call: grpc}", "/do/0/a/call: `call: grpc` is not supported. Write a Python action and call it."),
        ("- a: {raise: {error: {type: x, status: 400, titel: t}}}", "/do/0/a/raise/error/titel: `titel` is not a key of this object. Did you mean `title`?"),
        ("- a: {switch: []}", "/do/0/a/switch: `switch` must be a list of cases; found a list"),
        ("- a: {switch: [{b: {when: .x}}]}", "/do/0/a/switch/0/b: `then` is missing"),
        ("- a: {switch: [{b: {then: end}}, {c: {then: exit}}]}", "/do/0/a/switch: only one case may be without `when`: it is the default"),
        ("- a: {set: {x: 1}, input: {form: .a}}", "/do/0/a/input/form: `form` is not a key of this object. Did you mean `from`?"),
        ("- a: {set: {x: 1}, output: {as: 5}}", "/do/0/a/output/as: `as` must be an expression or an object; found 5"),
        ("- a: {set: {x: 1}, output: {schema: {resource: {endpoint: http://x}}}}", "/do/0/a/output/schema/resource: `resource` is not supported. Write the schema out under `document`: nothing is fetched."),
        ("- a: {set: {x: 1}, output: {schema: {document: {type: objekt}}}}", "/do/0/a/output/schema/document/type: the schema is wrong"),
        ("- a: {set: {x: 1}, output: {schema: {format: avro, document: {}}}}", '/do/0/a/output/schema/format: only JSON Schema is known; found "avro". Leave it out; a dialect is named by `$schema` in the document.'),
        ("- a: {set: {x: 1}, metadata: {dotdo: {queue: x}}}", "/do/0/a/metadata/dotdo/queue: `queue` is not a key of this object"),
        ("- a: {set: {x: 1}, if: true}", "/do/0/a/if: this must be an expression; found true"),
    ],
)  # fmt: skip
def test_a_problem_says_what_and_where_and_what_to_do(tasks: str, expected: str) -> None:
    found = texts(tasks)
    assert any(text.startswith(expected) for text in found), found


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"dsl": "0.9"}, '/document/dsl: `dsl` is wrong; found "0.9"; expected 1.0.0 to 1.0.3. Write `dsl: "1.0.3"`.'),
        ({"dsl": "1.0.4"}, '/document/dsl: `dsl` is wrong; found "1.0.4"'),
        ({"version": 1.0}, "/document/version: `version` is wrong; found 1.0; expected a version such as 1.0.0. Quote it"),
        ({"version": "1.0"}, "/document/version: `version` is wrong"),
        ({"name": "my_story"}, "/document/name: `name` is wrong"),
        ({"namespace": None}, "/document/namespace: `namespace` is wrong; found null"),
        ({"title": "x" * 201}, "/document/title: the title has 201 characters; the limit is 200"),
        ({"title": 5}, "/document/title: `title` must be a text that is not empty; found 5"),
        ({"tags": {"a": 1}}, "/document/tags/a: a tag must be a text; found 1. Quote it."),
        ({"titel": "x"}, "/document/titel: `titel` is not a key of this object. Did you mean `title`?"),
        ({"metadata": {"dotdo": {"prority": 1}}}, "/document/metadata/dotdo/prority: `prority` is not a key of this object. Did you mean `priority`?"),
    ],
)  # fmt: skip
def test_the_head_of_a_document_is_checked(change: dict[str, Any], expected: str) -> None:
    broken = document("- a: {set: {}}")
    broken["document"].update(change)
    found = [str(problem) for problem in problems(broken)]
    assert len(found) == 1
    assert found[0].startswith(expected)


@pytest.mark.parametrize("version", ["1.0.0", "1.0.1", "1.0.2", "1.0.3"])
def test_r1_versions_of_the_language_that_are_accepted(version: str) -> None:
    accepted = document("- a: {set: {}}")
    accepted["document"]["dsl"] = version
    assert problems(accepted) == []


@pytest.mark.parametrize("key", ["uses", "x-anything"])
def test_a_key_without_effect_is_refused_at_the_top(key: str) -> None:
    (found,) = problems(document("- a: {set: {}}", **{key: {}}))
    assert found.pointer == f"/{key}"
    assert found.suggestion


@pytest.mark.parametrize("garbage", [None, 5, "x", [], {}, {"do": None}, {"document": []}, {"do": [[]], "document": 1}])
def test_garbage_is_a_list_of_problems_and_not_an_exception(garbage: Any) -> None:
    assert problems(garbage)


@pytest.mark.parametrize("field", [*KINDS, "if", "input", "output", "export", "then", "metadata", "with", "timeout",
                                   "catch", "while", "foreach"])  # fmt: skip
@pytest.mark.parametrize("value", VALUES)
def test_any_value_anywhere_is_judged_and_not_an_exception(field: str, value: Any) -> None:
    bodies: list[dict[str, Any]] = [{}] if field in KINDS else [{"set": {}}, {"call": "send-mail"}, {"call": "http"}]
    beside: dict[str, dict[str, Any]] = {
        "catch": {"try": []},
        "while": {"for": {}, "do": []},
        "foreach": {"listen": {}},
    }
    bodies += [beside[field]] if field in beside else []
    for body in bodies:
        for problem in problems(document("- a: {set: {}}") | {"do": [{"a": {**body, field: value}}]}):
            assert problem.pointer.startswith("/do/0/a")


@pytest.mark.parametrize(
    "path",
    [
        *(
            "for/in",
            "for/each",
            "fork/branches",
            "fork/compete",
            "try",
            "catch/errors",
            "catch/errors/with",
            "catch/retry",
        ),
        *("catch/retry/limit", "catch/retry/limit/attempt", "catch/retry/backoff", "catch/retry/jitter", "catch/do"),
        *("emit/event", "emit/event/with", "emit/event/with/time", "listen/to", "listen/to/one", "listen/to/all"),
        *(
            "listen/to/any",
            "listen/to/until",
            "listen/to/one/with",
            "listen/to/one/correlate",
            "foreach/do",
            "foreach/at",
        ),
        *("run/workflow", "run/workflow/name", "run/workflow/namespace", "run/workflow/version", "run/workflow/input"),
        *("with/endpoint", "with/endpoint/uri", "with/endpoint/authentication", "with/headers", "with/document"),
        *("metadata/dotdo", "metadata/dotdo/undo", "metadata/dotdo/undo/call", "metadata/dotdo/idempotencyKey"),
        *("raise/error", "raise/error/status", "timeout/after", "with/workflow", "with/form", "switch"),
    ],
)
@pytest.mark.parametrize("value", VALUES)
def test_any_value_deep_inside_is_judged_and_not_an_exception(path: str, value: Any) -> None:
    first, *rest = path.split("/")
    inner = value
    for key in reversed(rest):
        inner = {key: inner}
    bodies: list[dict[str, Any]] = [{kind: {}} for kind in KINDS]
    for body in (*bodies, {"call": "http"}, {"call": "map"}, {"call": "approval"}):
        problems(document("- a: {set: {}}") | {"do": [{"a": {"call": "http", **body, first: inner}}]})
        problems(document("- a: {set: {}}") | {"do": [{"a": {**body, first: inner}}]})


@pytest.mark.parametrize("key", ["use", "schedule", "timeout", "evaluate"])
@pytest.mark.parametrize("inner", ["", "authentications/x", "errors/x", "functions/x", "functions/x/call",
                                   "functions/x/with", "retries/x", "timeouts/x", "secrets", "on", "cron", "every",
                                   "after", "on/one", "on/any", "language", "authentications/x/basic"])  # fmt: skip
@pytest.mark.parametrize("value", VALUES)
def test_any_value_beside_the_tasks_is_judged_and_not_an_exception(key: str, inner: str, value: Any) -> None:
    for part in reversed(inner.split("/") if inner else []):
        value = {part: value}
    tasks = "- a: {call: x, with: {}, timeout: x}\n- b: {raise: {error: x}}\n- c: {try: [], catch: {retry: x}}"
    problems(document(tasks, **{key: value}))


@pytest.mark.parametrize("name", ["continue", "exit", "end"])
def test_r2_a_directive_cannot_name_a_task(name: str) -> None:
    assert texts(f"- {name}: {{set: {{}}}}")[0].startswith(f"/do/0/{name}: `{name}` is a directive")


def test_r2_names_are_plain_and_unique_in_their_list() -> None:
    assert "this cannot name a task" in texts("- 'a/b': {set: {}}")[0]
    assert texts("- 'a/b': {set: {}}")[0].startswith("/do/0/a~1b: ")
    assert [text.partition(" ")[0] for text in texts("- a: {set: {}}\n- a: {set: {}, then: nowhere}\n- b: 5")] == [
        "/do/2/b:",
        "/do/1/a:",
        "/do/1/a/then:",
    ]
    assert texts("- a: {set: {}}\n- a: {set: {}}") == ["/do/1/a: there is another task `a` in this list. Rename one."]
    assert texts("- a: {do: [{a: {set: {}}}]}") == []


def test_an_unknown_target_is_named_with_the_nearest() -> None:
    assert texts("- start: {set: {}, then: finsh}\n- finish: {set: {}}") == [
        '/do/0/start/then: there is no such task in this list; found "finsh". Did you mean `finish`?'
    ]


def test_a_target_in_another_list_is_refused() -> None:
    (found,) = texts("- a: {do: [{b: {set: {}, then: c}}]}\n- c: {set: {}}")
    assert found.startswith("/do/0/a/do/0/b/then: `c` is in another list")


@pytest.mark.parametrize(
    "tasks",
    [
        "- a: {set: {}, then: end}\n- lost: {set: {}}",
        "- a: {set: {}, then: c}\n- lost: {set: {}}\n- c: {set: {}}",
        "- a: {raise: {error: {type: x, status: 400}}}\n- lost: {set: {}}",
        "- a: {switch: [{b: {when: .x, then: c}}, {d: {then: end}}]}\n- lost: {set: {}}\n- c: {set: {}}",
        "- a: {set: {}, then: exit, if: .x}\n- lost: {set: {}}",
    ],
)
def test_a_task_that_nothing_leads_to_is_refused(tasks: str) -> None:
    assert texts(tasks) == ["/do/1/lost: nothing leads to this task. Name it in a `then`, or remove it."]


def test_tasks_behind_a_condition_or_a_loop_are_reached() -> None:
    assert texts("- a: {if: .x, raise: {error: {type: x, status: 400}}}\n- b: {set: {}, then: a}") == []
    assert texts("- a: {switch: [{b: {when: .x, then: end}}]}\n- c: {set: {}}") == []


def test_r20_fields_that_are_always_expressions_may_be_bare_or_marked() -> None:
    for text in (".x == 1", "${ .x == 1 }", "  ${.x == 1}  "):
        assert texts(f"- a: {{if: '{text}', set: {{}}, output: {{as: '{text}'}}}}") == []


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("Hello ${ .x }!", r'Write `${ "Hello \(.x)!" }`.'),
        ('say "${.x}" twice: ${ .y }', r'Write `${ "say \"\(.x)\" twice: \(.y)" }`.'),
        ("${ .x } ", None),
    ],
)
def test_r21_a_part_of_a_text_cannot_be_an_expression(text: str, suggestion: str | None) -> None:
    found = problems(document("- a: {set: {}}") | {"do": [{"a": {"set": {"deep": [text]}}}]})
    assert [problem.suggestion for problem in found] == ([suggestion] if suggestion else [])
    if suggestion:
        assert found[0].pointer == "/do/0/a/set/deep/0"
        repaired = suggestion.removeprefix("Write `").removesuffix("`.")
        assert problems(document("- a: {set: {}}") | {"do": [{"a": {"set": {"deep": repaired}}}]}) == []


def test_r21_two_expressions_in_one_text_do_not_pass_for_one() -> None:
    (found,) = texts('- a: {set: {x: \'${ "a" } and ${ "b" }\'}}')
    assert found.startswith("/do/0/a/set/x: the expression is wrong")


def test_keys_are_not_evaluated() -> None:
    (found,) = texts("- a: {set: {'${ .k }': 1}}")
    assert "keys are not evaluated" in found
    assert "`${ {(.k): …} }`" in found


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [
        ("- a: {set: {x: '${ .a | }'}}", "syntax error"),
        ("- a: {set: {x: '${ foo }'}}", "foo/0 is not defined"),
        ("- a: {set: {x: '${ $ENV.PATH }'}}", "`$ENV` is not allowed in expressions"),
        ("- a: {set: {x: '${ input }'}}", "`input` is not allowed in expressions"),
        ("- a: {set: {x: '${ $secrets.key }'}}", "$secrets is not defined"),
        ("- a: {set: {}, if: $input.x}", "$input is not defined (line 1, column 1)"),
        ("- a: {set: {}, output: {as: $output}}", "$output is not defined"),
        ("- a: {set: {}, input: {from: $output}}", "Available here: $context, $runtime, $task, $workflow."),
        ("- a: {switch: [{b: {when: '1 +', then: end}}]}", "/do/0/a/switch/0/b/when: the expression is wrong"),
    ],
)
def test_expressions_are_compiled_with_the_variables_of_their_place(tasks: str, reason: str) -> None:
    (found,) = texts(tasks)
    assert reason in found


def test_variables_are_available_where_the_table_says() -> None:
    everything = "[$context, $input, $output, $task, $workflow, $runtime]"
    assert texts(f"- a: {{set: {{}}, export: {{as: '{everything}'}}}}") == []
    (found,) = problems(document("- a: {set: {}}", output={"as": "$input"}))
    assert found.pointer == "/output/as"
    (found,) = problems(document("- a: {set: {}}", input={"from": "$context"}))
    assert found.pointer == "/input/from"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("charge-crad", "there is no action `charge-crad`. Did you mean `charge-card`?"),
        ("datastore.sets", "there is no action `datastore.sets`. Did you mean `datastore.set`?"),
        ("charge-card:1.1.0@default", '`charge-card` has no version 1.1.0; found "1.1.0"; expected 1.2.0 or 1.0.0'),
        ("charge-card:^1.0.0@default", "a version must be exact, such as 1.2.0"),
        ("charge-card:latest", "a version must be exact"),
        ("charge-card:1.2.0@elsewhere", "there is no other catalog"),
        ("https://example.org/function.yaml", "a function cannot be fetched"),
        ("unpublished", "`unpublished` has no published version. Publish the action first."),
        ("a b", "this does not name a function"),
    ],
)
def test_a_call_names_a_published_function(call: str, expected: str) -> None:
    (found,) = problems(document("- a: {set: {}}") | {"do": [{"a": {"call": call}}]})
    assert found.pointer == "/do/0/a/call"
    assert expected in str(found)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"amount": 1}, ["/with/customer_id: the argument is required"]),
        ({"customer_id": 5, "amount": 1}, ["/with/customer_id: the argument must be of type string"]),
        ({"customer_id": "x", "amuont": 1, "amount": 1}, ["/with/amuont: the argument is not a field of this schema. Did you mean `amount`?"]),
        ({"customer_id": "${ .id }"}, ["/with/amount: the argument is required"]),
        ({"customer_id": "${ .id }", "amount": "12"}, ["/with/amount: the argument must be of type number"]),
        ({"customer_id": "${ .id }", "amount": "${ .amount }", "tags": ["${ .t }", "x"]}, []),
        ({"customer_id": "${ .id }", "amount": "${ .amount }", "currency": "GBP"}, ["/with/currency: the argument "]),
    ],
)  # fmt: skip
def test_arguments_are_checked_as_far_as_they_are_written_out(arguments: dict[str, Any], expected: list[str]) -> None:
    found = [
        str(problem) for problem in problems(document("") | {"do": [{"a": {"call": "charge-card", "with": arguments}}]})
    ]
    assert len(found) == len(expected)
    assert all(text.startswith(f"/do/0/a{start}") for text, start in zip(found, expected, strict=True)), found


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("{call: datastore.get, with: {key: ''}}", ["/do/0/a/with/key: the argument must have 1 to 255 characters"]),
        ("{call: datastore.set, with: {key: k}}", ["/do/0/a/with/value: the argument is required"]),
        ("{call: datastore.set, with: {key: k, value: null}}", []),
        ("{call: datastore.merge, with: {key: k, value: 1}}", ["/do/0/a/with/value: the argument must be of type object"]),
        ("{call: datastore.merge, with: {key: '${ .k }', value: '${ .v }', namespace: n}}", []),
        ("{call: datastore.get, with: {ky: k}}", ["/do/0/a/with/key: the argument is required", "/do/0/a/with/ky: the argument is not a field of this function. Did you mean `key`?"]),
    ],
)  # fmt: skip
def test_the_datastore_functions_check_their_arguments(call: str, expected: list[str]) -> None:
    assert texts(f"- a: {call}") == expected


def test_a_workflow_has_a_task() -> None:
    assert [str(problem) for problem in problems(document("- a: {set: {}}") | {"do": []})] == [
        "/do: a workflow needs a task"
    ]


def test_all_problems_come_at_once() -> None:
    found = problems(document("- a: {wat: 1}\n- b: {call: nope, if: '1 +'}\n- c: {set: {}, then: nowhere}", uses={}))
    assert [problem.pointer for problem in found] == ["/uses", "/do/0/a", "/do/1/b/if", "/do/1/b/call", "/do/2/c/then"]


def test_a_document_may_not_be_endless() -> None:
    large = document("- a: {set: {}}") | {"metadata": {"x": "y" * 300_000}}
    assert "the limit is 262144" in problems(large)[0].message
    deep: Any = {}
    for _ in range(5_000):
        deep = {"a": deep}
    assert "nested deeper than 64 levels" in problems(deep)[0].message
    many = document("- a: {set: {}}") | {"do": [{f"t{number}": {"set": {}}} for number in range(2_001)]}
    assert problems(many)[0].message == "the document has 2001 tasks; the limit is 2000"
    assert problems(many | {"do": many["do"][:-1]}) == []


def test_lists_may_be_nested_sixteen_deep() -> None:
    nested: Any = [{"a": {"set": {}}}]
    for _ in range(15):
        nested = [{"a": {"do": nested}}]
    assert problems(document("- a: {set: {}}") | {"do": nested}) == []
    found = problems(document("- a: {set: {}}") | {"do": [{"a": {"do": nested}}]})
    assert "nested deeper than 16 levels" in found[0].message


def test_a_flood_of_problems_is_cut_and_quick() -> None:
    started = time.monotonic()
    found = problems(document("- a: {set: {}}") | {"do": [{"x" * 50: 1} for _ in range(4_000)]})
    assert len(found) == 200
    assert "there are more problems" in found[-1].message
    assert time.monotonic() - started < 3


def test_keys_that_every_task_may_have_are_no_hint_at_what_it_does() -> None:
    (text,) = texts("- z: {then: end, input: {}}")
    assert text.endswith("expected one of call, do, emit, for, fork, listen, raise, run, set, switch, try, wait")
