"""Limits of runs (`docs/guarantees.md`): each ends in an error that names the limit and the place, never in a hang."""

import time
from typing import Any

import pytest

from tests.support.documents import publish
from tests.support.engine import finished, shown, start_workflow, work_until_idle
from workflows import operations
from workflows.checkpoint import values
from workflows.engine import advance, machine
from workflows.functions import mapping
from workflows.models import Run, Step
from workflows.operations import start
from workflows.operations.errors import DefinitionInvalid

pytestmark = pytest.mark.usefixtures("handlers")


def run(text: str, value: Any = None) -> Any:
    publish("limited", text)
    return finished(start_workflow("limited", {} if value is None else value))


def refusals(text: str) -> list[str]:
    with pytest.raises(DefinitionInvalid) as caught:
        publish("limited", text)
    return [f"{problem.pointer}: {problem.message}" for problem in caught.value.problems]


# --- steps of one run -------------------------------------------------------------------------------------------------
LOOP = """
do:
  - each:
      for: {in: "${ [range(100)] }"}
      do: [{step: {call: test-echo, with: {value: "${ $index }"}}}]
"""


@pytest.mark.parametrize("text", [LOOP, LOOP.replace("do: [{step", "do: [{guarded: {try: [{step").replace(
    "}}}]", "}}}], catch: {as: e}}}]")])  # fmt: skip
def test_a_run_of_too_many_steps_stops_at_the_last_one_and_no_try_takes_that(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advance, "MAX_STEPS", 20)
    ended = run(text)
    assert (ended.state, ended.error["title"]) == ("failed", "too many steps")
    assert "20 steps" in ended.error["detail"]
    assert ended.error["instance"].startswith("/do/0/each")
    assert Step.objects.filter(kind="call", state="succeeded").count() == 20


def test_the_steps_of_all_branches_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advance, "MAX_STEPS", 40)
    branch = "[{step: {call: test-echo, with: {value: 1}}}]"
    fork = ", ".join(f"{{b{n}: {{do: {branch}}}}}" for n in range(10))
    ended = run(f'do: [{{each: {{for: {{in: "${{ [range(50)] }}"}}, do: [{{f: {{fork: {{branches: [{fork}]}}}}}}]}}}}]')
    assert (ended.state, ended.error["title"]) == ("failed", "too many steps")
    assert Step.objects.filter(kind__in=("call", "start")).count() < 100


def test_a_loop_that_never_rests_is_cut_into_transactions_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advance, "MAX_STEPS", 5)
    monkeypatch.setattr(machine, "BUDGET", 100)
    began = time.monotonic()
    ended = run("do: [{a: {set: {n: 1}}}, {b: {set: {n: 2}, then: a}}]")
    assert time.monotonic() - began < 5
    assert (ended.state, ended.error["title"]) == ("failed", "too many steps")
    assert Step.objects.filter(kind="task").count() == 5, "transactions of 100 transitions each"


def test_others_go_on_beside_a_loop_that_never_rests() -> None:
    publish("limited", "do: [{a: {set: {n: 1}}}, {b: {set: {n: 2}, then: a}}]")
    publish("quick", "do: [{a: {call: test-echo, with: {value: 1}}}]")
    endless = start_workflow("limited", {})
    quick = start_workflow("quick", {})
    operations.cancel(endless, actor="user:test", reason="it never ends")
    work_until_idle()
    assert (shown(endless).state, shown(quick).state) == ("cancelled", "succeeded")


# --- what is remembered of a branch -----------------------------------------------------------------------------------
def test_a_branch_that_has_too_much_to_remember_is_parked_with_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "LARGEST_CURSOR", 600)
    nested = "do: [{leaf: {call: test-echo, with: {value: 1}}}, {next: {call: test-echo, with: {value: 2}}}]"
    for level in range(6):
        nested = f"do: [{{level{level}: {{{nested}}}}}]"
    ended = run(nested)
    assert ended.state == "failed"
    told = f"{ended.error['title']} {ended.error['detail']} {ended.error['instance']}"
    assert "600 bytes" in told
    assert "/do/0/level5" in told


# --- fan-out ----------------------------------------------------------------------------------------------------------
def test_a_fork_of_too_many_branches_is_refused() -> None:
    branches = ", ".join(f"{{b{n}: {{set: {{n: 1}}}}}}" for n in range(1_001))
    found = refusals(f"do: [{{f: {{fork: {{branches: [{branches}]}}}}}}]")
    assert any(told.startswith("/do/0/f/fork/branches: ") and "the limit is 1000" in told for told in found)


def test_a_map_over_too_many_items_fails_before_it_starts_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "MOST", 3)
    publish("child", "do: [{a: {set: {n: 1}}}]")
    ended = run('do: [{all: {call: map, with: {items: "${ [range(4)] }", workflow: {name: child}}}}]')
    assert (ended.state, ended.error["title"], ended.error["instance"]) == ("failed", "too_many_children", "/do/0/all")
    assert "4 are given" in ended.error["detail"]
    assert "3 runs" in ended.error["detail"]
    assert Run.objects.count() == 1


# --- nesting and depth ------------------------------------------------------------------------------------------------
def test_a_document_that_is_nested_too_deep_is_refused() -> None:
    text = "{set: {n: 1}}"
    for level in range(17):
        text = f"{{do: [{{t{level}: {text}}}]}}"
    found = refusals(text[1:-1])
    assert any("nested deeper than 16 levels" in told and told.startswith("/do/0/") for told in found)


def test_a_workflow_that_starts_itself_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "MAX_DEPTH", 3)
    publish("limited", "do: [{a: {set: {n: 1}}}]")
    itself = 'workflow: "${ {name: .self} }"'
    publish("limited", f'do: [{{again: {{call: map, with: {{items: "${{ [.] }}", {itself}}}}}}}]', "1.1.0")
    run_id = start_workflow("limited", {"self": "limited"})
    work_until_idle()
    assert Run.objects.count() <= 5
    ended = shown(run_id)
    assert ended.state == "failed"
    assert "3 are allowed" in ended.error["detail"]
