"""What the engine reads out of a document."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.language.support import Actions, document
from tests.unit.language.test_validator import STORY
from workflows.language import build, durations, lock_functions, stored, templates
from workflows.language.program import Call, Do, Set, Switch, Task, Wait
from workflows.language.templates import Constant, Expression


def program_task(definition: dict[str, Any]) -> Task:
    built = build(document("- a: {set: {}}") | {"do": [{"a": definition}]}, {"f": "f:1.0.0"})
    return built.tasks[0]


def test_a_whole_document_becomes_a_program() -> None:
    source = document(STORY)
    program = build(source, lock_functions(source, Actions()))
    assert list(program.by_ref) == [
        "/do/0/charge",
        "/do/1/remember",
        "/do/2/decide",
        "/do/3/mail",
        "/do/4/pause",
        "/do/5/result",
        "/do/3/mail/do/0/send",
    ]
    assert list(program.lists_by_ref) == ["/do", "/do/3/mail/do"]
    assert program.tasks.index_of("pause") == 4
    charge, mail = program.task_at("/do/0/charge"), program.task_at("/do/3/mail")
    assert isinstance(charge, Call)
    assert (charge.function, charge.version) == ("charge-card", "1.2.0")
    assert isinstance(mail, Do)
    assert mail.tasks is program.list_at("/do/3/mail/do")
    with pytest.raises(KeyError):
        program.task_at("/do/9/x")


def test_the_lock_pins_each_call_by_its_text() -> None:
    assert lock_functions(document(STORY), Actions()) == {
        "charge-card:1.2.0@default": "charge-card:1.2.0",
        "datastore.set": "datastore.set:1.0.0",
        "send-mail": "send-mail:2.0.0",
    }
    with pytest.raises(LookupError, match="validate the document first"):
        lock_functions(document("- a: {call: nope}"), Actions())


def test_data_in_arguments_is_not_taken_for_a_call() -> None:
    tasks = "- a: {call: send-mail, with: {do: [{x: {call: nope}}]}}"
    assert lock_functions(document(tasks), Actions()) == {"send-mail": "send-mail:2.0.0"}


def test_r1_the_stored_document_names_the_language_it_is_read_by() -> None:
    old = document("- a: {set: {}}")
    old["document"]["dsl"] = "1.0.0"
    assert stored(old)["document"]["dsl"] == "1.0.3"
    assert old["document"]["dsl"] == "1.0.0"


def test_the_default_case_counts_last_wherever_it_stands() -> None:
    task = program_task({"switch": [{"d": {"then": "end"}}, {"c": {"when": "${ .x }", "then": "exit"}}]})
    assert isinstance(task, Switch)
    assert [(case.name, case.when, case.ref) for case in task.cases] == [("c", ".x", "/do/0/a/switch/1/c")]
    assert task.default
    assert (task.default.name, task.default.then) == ("d", "end")


def test_r20_bare_and_marked_expressions_are_kept_as_the_same_text() -> None:
    for text in (".x", "${ .x }", " ${.x} "):
        task = program_task({"set": {}, "if": text, "output": {"as": text}})
        assert task.if_ == ".x"
        assert task.output_as == Expression(".x")


def test_a_bare_text_is_an_expression_only_where_it_always_is_one() -> None:
    task = program_task({"set": {"text": ".x"}, "output": {"as": {"text": ".x", "value": "${ .x }"}}})
    assert isinstance(task, Set)
    assert task.value == Constant({"text": ".x"})
    assert task.output_as
    assert templates.resolve(task.output_as, lambda text: text.upper()) == {"text": ".x", "value": ".X"}


def test_waits_are_ready_or_an_expression() -> None:
    fixed, computed = program_task({"wait": {"minutes": 1, "seconds": 30}}), program_task({"wait": "${ .pause }"})
    assert isinstance(fixed, Wait)
    assert fixed.duration == timedelta(seconds=90)
    assert isinstance(computed, Wait)
    assert computed.duration == ".pause"


def test_absent_fields_are_none_and_then_is_continue() -> None:
    task = program_task({"set": {}})
    assert (task.if_, task.input_from, task.output_as, task.export_as, task.input_schema) == (None,) * 5
    assert task.then == "continue"


def test_a_constant_is_returned_uncopied_and_costs_no_evaluation() -> None:
    value = {"a": [1, {"b": "text"}]}
    template = templates.compile(value)
    assert templates.resolve(template, lambda _: pytest.fail("nothing to evaluate")) is value


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab ${}.", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=10,
)


@given(PLAIN)
def test_a_template_replaces_whole_marked_texts_and_nothing_else(value: Any) -> None:
    def expected(item: Any) -> Any:
        if isinstance(item, str):
            inner = templates.inner(item)
            return item if inner is None else ["evaluated", inner]
        if isinstance(item, dict):
            return {key: expected(member) for key, member in item.items()}
        return [expected(member) for member in item] if isinstance(item, list) else item

    assert templates.resolve(templates.compile(value), lambda text: ["evaluated", text]) == expected(value)


def test_expressions_are_listed_with_their_pointers() -> None:
    template = templates.compile({"a": ["x", "${ .b }"], "c/d": {"e": "${ .f }"}})
    assert list(templates.expressions(template)) == [("/a/1", ".b"), ("/c~1d/e", ".f")]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("PT5S", 5),
        ("PT1H30M", 5400),
        ("P2D", 172_800),
        ("P1W", 604_800),
        ("P1DT1S", 86_401),
        ("PT0.5S", 0.5),
        ("PT0S", 0),
        ({"milliseconds": 250}, 0.25),
        ({"days": 1, "hours": 2, "minutes": 3, "seconds": 4}, 93_784),
        ({"seconds": 0}, 0),
    ],
)
def test_durations(value: Any, seconds: float) -> None:
    assert durations.parse(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("P1Y", "years and months"),
        ("P1M", "years and months"),
        ("P1Y2M", "years and months"),
        ("P1YT1S", "years and months"),
        ("P", "not an ISO 8601"),
        ("PT", "not an ISO 8601"),
        ("P1DT", "not an ISO 8601"),
        ("5s", "not an ISO 8601"),
        ("-PT5S", "not an ISO 8601"),
        ("PT5S ", "not an ISO 8601"),
        ("", "not an ISO 8601"),
        ("PT" + "9" * 5000 + "S", "not an ISO 8601"),
        ("PT99999999999999999999S", "too long"),
        ({"days": 10**30}, "too long"),
        ({}, "at least one of"),
        ({"seconds": 1.5}, "whole number"),
        ({"seconds": -1}, "whole number"),
        ({"seconds": True}, "whole number"),
        ({"years": 1}, "not a unit"),
        (None, "not null"),
        (5, "not a number"),
        (True, "not a boolean"),
        ([], "not an array"),
    ],
)
def test_r35_what_is_not_a_duration_is_refused_with_the_reason(value: Any, reason: str) -> None:
    with pytest.raises(durations.DurationError, match=reason):
        durations.parse(value)


def test_a_wait_lasts_a_year_at_most() -> None:
    assert durations.parse_wait("P366D") == timedelta(days=366)
    with pytest.raises(durations.DurationError, match="366 days at most"):
        durations.parse_wait({"days": 366, "milliseconds": 1})
