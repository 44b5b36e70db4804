"""A document and the builder's workflow are two views of one thing."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from dotdo_site.demo import examples
from tests.conformance.publishing import TableCatalog
from tests.conformance.tables import Case, cases
from tests.integration.docs.blocks import blocks
from workflows.build import (
    BuildError,
    Workflow,
    approval,
    call,
    case,
    do,
    each_event,
    emit,
    event,
    expr,
    for_each,
    fork,
    http,
    listen_any,
    listen_one,
    map_,
    otherwise,
    raise_,
    retry,
    run_workflow,
    set_,
    switch,
    try_,
    until_one,
    wait,
)
from workflows.build.notation import to_yaml
from workflows.language import loader

CHARACTERS = some.characters(codec="utf-8", exclude_characters="\0")
TEXT = some.text(CHARACTERS, max_size=40).filter(lambda text: "${" not in text)
WHOLE = some.integers(-(2**53) + 1, 2**53 - 1)
NUMBERS = WHOLE | some.floats(allow_nan=False, allow_infinity=False)
VALUES = some.recursive(
    some.none()
    | some.booleans()
    | NUMBERS
    | TEXT
    | some.sampled_from(["yes", "on", "1e3", "0o7", "~", "12:30", "1_0"]),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
MEMBERS = some.dictionaries(TEXT, VALUES, max_size=4)
UNITS = some.dictionaries(some.sampled_from(["days", "hours", "seconds"]), some.integers(0, 100), min_size=1)


def leaf(name: str) -> "some.SearchStrategy[Any]":
    return some.one_of(
        MEMBERS.map(lambda members: set_(name, members)),
        MEMBERS.map(lambda members: call(name, "charge-card:1.2.0", members)),
        UNITS.map(lambda units: wait(name, **units)),
        some.just(raise_(name, type="https://example.com/errors/no", status=409)),
        some.just(switch(name, case("large", ".n > 1", then="exit"), otherwise("continue"))),
        VALUES.map(lambda value: set_(name, value=value).if_(".n").output(expr(".value")).metadata(note=value)),
        VALUES.map(lambda value: emit(name, "com.example.made", data=value).timeout(minutes=5)),
        TEXT.map(lambda text: listen_one(name, event("com.example.paid", correlate={"order": (".data", text)}))),
        some.just(listen_any(name, event("a"), until=until_one(event("b")), foreach=each_event([set_("x", y=1)]))),
        MEMBERS.map(lambda members: run_workflow(name, "tests", "child", input=members, await_=False)),
        MEMBERS.map(lambda members: call(name, "charge-card", members).undo("refund", id=expr("$output.id"))),
        some.just(http(name, "GET", "https://example.com/{id}", query={"q": "1"}, authentication="crm")),
        some.just(approval(name, "Really?", groups=["Operator"], due_in={"days": 2})),
        some.just(map_(name, expr(".items"), "child", max_concurrency=3, on_error="collect")),
    )


def task(depth: int, name: str) -> "some.SearchStrategy[Any]":
    if not depth:
        return leaf(name)
    inside = some.integers(1, 3).flatmap(lambda count: some.tuples(*(task(depth - 1, f"t{i}") for i in range(count))))
    return leaf(name) | inside.flatmap(lambda tasks: some.sampled_from(blocks_of(name, _reached(tasks))))


def blocks_of(name: str, tasks: list[Any]) -> list[Any]:
    """Return the tasks that may hold these."""
    again = retry(delay="PT1S", backoff="linear", jitter=("PT1S", "PT2S"), count=3, limit={"hours": 1})
    found = [
        do(name, *tasks).saga(),
        for_each(name, ".items", each="thing", while_="$thing.ok", do=tasks),
        try_(name, *tasks).catch(*tasks, errors={"status": 500}, when=".title", as_="problem"),
        try_(name, *tasks).catch(retry=again).export({"done": expr("$output")}),
    ]
    return [*found, fork(name, *tasks, compete=True)]


HEAD = Workflow("tests", "any", "1.0.0", title="Any", priority=1).use(
    authentications={"crm": {"bearer": {"token": "t"}}}
)
WORKFLOWS = (
    some.integers(1, 4)
    .flatmap(lambda count: some.tuples(*(task(2, f"t{index}") for index in range(count))))
    .map(lambda tasks: HEAD.do(*_reached(tasks)))
)


@given(WORKFLOWS)
@settings(max_examples=100, deadline=None)
def test_what_is_built_is_read_back_as_the_same_workflow(workflow: Workflow) -> None:
    document = workflow.to_dict()
    assert Workflow.from_dict(document) == workflow
    assert Workflow.from_dict(document).to_dict() == document
    assert Workflow.from_yaml(workflow.to_yaml()) == workflow


@given(some.dictionaries(TEXT, VALUES, max_size=5))
def test_yaml_keeps_every_value(value: dict[str, Any]) -> None:
    assert loader.load(to_yaml({"first": value})) == {"first": value}


@pytest.mark.parametrize("text", examples.workflows(), ids=lambda path: path.name)
def test_an_example_survives_the_builder(text: Path) -> None:
    _survives(loader.load(text.read_text()))


@pytest.mark.parametrize("case", [case for case in cases() if not case.refused], ids=lambda case: case.name)
def test_a_document_of_the_conformance_tables_survives_the_builder(case: Case) -> None:
    for document in case.documents:
        _survives(loader.load(document) if isinstance(document, str) else document)


@pytest.mark.parametrize("case", [case for case in cases() if case.refused], ids=lambda case: case.name)
def test_what_the_conformance_tables_refuse_is_refused_by_the_builder_or_its_check(case: Case) -> None:
    document, catalog = case.documents[-1], TableCatalog()
    try:
        workflow = Workflow.from_yaml(document) if isinstance(document, str) else Workflow.from_dict(document)
    except (BuildError, loader.LoadError):
        return
    assert workflow.check(catalog)


def test_the_workflows_of_the_documentation_survive_the_builder() -> None:
    head = "document: {dsl: 1.0.3, namespace: tests, name: docs, version: 1.0.0}\n"
    for block in blocks("yaml"):
        if "refused" not in block.words:
            whole = re.search(r"^document:", block.text, re.MULTILINE)
            _survives(loader.load(block.text if whole else head + block.text))


def test_what_is_returned_can_be_changed_without_changing_the_workflow() -> None:
    given_members = {"list": [1]}
    workflow = Workflow("tests", "any", "1.0.0").do(set_("first", given_members))
    given_members["list"].append(2)
    workflow.to_dict()["do"][0]["first"]["set"]["list"].append(3)
    assert workflow.to_dict()["do"] == [{"first": {"set": {"list": [1]}}}]


def _survives(document: dict[str, Any]) -> None:
    workflow = Workflow.from_dict(document)
    assert workflow.to_dict() == document
    assert Workflow.from_yaml(workflow.to_yaml()).to_dict() == document


def _reached(tasks: tuple[Any, ...]) -> list[Any]:
    """Leave out what follows a task that never goes on."""
    kept = []
    for task in tasks:
        kept.append(task)
        if "raise" in task.definition and "if" not in task.definition:
            break
    return kept
