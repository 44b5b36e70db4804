"""The graph of a run as it ran, and of a definition: what it says, where it leads, and that it is cheap."""

import re
import uuid
from collections.abc import Callable
from importlib import import_module
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.recording import record
from tests.support.documents import publish
from tests.support.engine import start_action, start_workflow, work_until_idle
from tests.support.pages import Seeded
from workflows import operations, queries
from workflows.graph import outline, standing
from workflows.models import Run, Step
from workflows.queries import trail

Reader = Callable[..., Client]
ALL = """
do:
  - first: {call: test-echo, with: {value: 1}}
  - skipped: {if: "1 > 2", call: test-echo, with: {value: 1}}
  - both:
      fork:
        branches:
          - left: {do: [{inner: {call: test-echo, with: {value: 1}}}]}
          - right: {call: test-echo, with: {value: 2}}
  - which: {switch: [{yes: {when: "1 < 2", then: taken}}, {no: {then: behind}}]}
  - taken: {set: {v: 1}}
  - behind: {emit: {event: {with: {type: t, source: /s, data: {}}}}}
  - lines:
      for: {each: line, in: "${ [1, 2, 3] }"}
      do: [{price: {call: test-echo, with: {value: "${ $line }"}}}]
  - guarded:
      try: [{charge: {call: test-refuses, with: {code: declined}}}]
      catch: {do: [{sorry: {call: test-echo, with: {value: 3}}}]}
  - cool-off: {wait: {hours: 1}}
  - never: {call: test-echo, with: {value: 4}}
"""
SAGA = """
do:
  - all:
      metadata: {dotdo: {saga: true}}
      try:
        - book: {call: test-echo, with: {value: 1}, metadata: {dotdo: {undo: {call: test-echo, with: {value: 0}}}}}
        - pay: {call: test-refuses, with: {code: declined}}
      catch: {do: [{sorry: {set: {}}}]}
"""


def stands(run: UUID) -> dict[str, str]:
    """Return the label of every task by its name."""
    found = Run.objects.select_related("workflow_version").get(pk=run).workflow_version
    assert found is not None
    block, left = outline.read(found.document, found.lock), queries.footprint(run)
    over = standing.stand(block, left.steps, left.notes)
    return {node.name: over.of(node.ref).label for node in standing.walk(block)}


def page(client: Client, address: str, **headers: str) -> str:
    response = client.get(address, headers=headers)
    assert response.status_code == 200, response.content.decode()[:500]
    return response.content.decode()


def node(text: str, name: str) -> str:
    """Return the markup of the node with a name."""
    begin = r'<(?:a|span) class="node"'
    found = re.search(rf'{begin}(?:(?!{begin}).)*?<span class="trunc">{name}</span>.*?</li>', text, re.DOTALL)
    assert found, f"{name} is not drawn"
    return found[0]


def test_a_run_stands_in_its_definition_as_the_engine_ran_it(handlers: None) -> None:
    publish("all", ALL)
    run = start_workflow("all", {})
    work_until_idle(40)
    assert stands(run) == {
        "first": "succeeded", "skipped": "skipped", "both": "succeeded", "inner": "succeeded", "right": "succeeded",
        "which": "succeeded", "taken": "succeeded", "behind": "succeeded", "lines": "succeeded", "price": "succeeded",
        "guarded": "succeeded", "charge": "caught", "sorry": "succeeded", "cool-off": "waiting", "never": "",
    }  # fmt: skip


def test_what_a_saga_undid_says_so(handlers: None) -> None:
    publish("saga", SAGA)
    run = start_workflow("saga", {})
    work_until_idle(20)
    assert stands(run) | {"all": ""} == {"all": "", "book": "undone", "pay": "caught", "sorry": "succeeded"}


def test_a_node_leads_to_its_step_and_keeps_the_rest_of_the_address(reader: Reader, runs: Seeded) -> None:
    step = Step.objects.get(run=runs.failed, name="charge")
    text = page(reader(), f"/runs/{runs.failed}/?view=graph&list=status%3Dfailed")
    charge = node(text, "charge")
    assert f"step={step.id}" in charge
    assert "view=graph" in charge
    assert "list=status%3Dfailed" in charge
    assert 'data-s="failed"' in charge
    assert "href" not in node(text, "never")
    assert "not reached" in node(text, "never")


def test_a_wait_counts_from_its_beginning_and_not_from_the_worker_that_ended_it(handlers: None) -> None:
    publish("waits", "do: [{first: {call: test-echo, with: {value: 1}}}, {settle: {wait: {milliseconds: 300}}}]")
    run = start_workflow("waits", {})
    work_until_idle(20)
    settle = next(mark for mark in queries.footprint(run).steps if mark.kind == "wait")
    assert settle.seconds is not None
    assert settle.seconds >= 0.25


def test_the_chosen_step_is_marked(reader: Reader, runs: Seeded) -> None:
    step = Step.objects.get(run=runs.failed, name="charge")
    text = page(reader(), f"/runs/{runs.failed}/?view=graph&step={step.id}")
    assert 'aria-current="true"' in node(text, "charge")
    assert 'aria-current="true"' not in node(text, "prepare")


def test_the_node_of_a_loop_leads_to_the_round_that_failed(reader: Reader, handlers: None) -> None:
    publish(
        "loop",
        """
do:
  - lines:
      for: {each: line, in: "${ [1, 2, 3] }"}
      do:
        - price: {call: test-echo, with: {value: "${ $line }"}}
        - check: {if: "$line == 2", call: test-refuses, with: {code: declined}}
""",
    )
    run = start_workflow("loop", {})
    work_until_idle(20)
    failed = Step.objects.get(run=run, name="check", state="failed")
    text = page(reader(), f"/runs/{run}/?view=graph")
    assert f"step={failed.id}" in node(text, "check")
    assert "2 of 3" in text
    assert "2 of 3 iterations, failed" in text


def test_the_definition_of_a_run_is_without_what_became_of_it(reader: Reader, runs: Seeded) -> None:
    text = page(reader(), f"/runs/{runs.failed}/?view=graph&shows=definition")
    assert "/actions/test-refuses/?version=1.0.0" in node(text, "charge")
    assert "data-s" not in node(text, "charge")


def test_a_newer_version_is_offered_for_comparison(reader: Reader, runs: Seeded) -> None:
    address = f"/runs/{runs.failed}/?view=graph"
    assert "/diff/" not in page(reader(), address)
    publish("broken", "do: [{prepare: {call: test-echo, with: {value: 9}}}]", "2.0.0")
    assert "/workflows/broken/diff/1.0.0..2.0.0/" in page(reader(), address)


def test_a_single_action_is_a_graph_of_one_call(reader: Reader, handlers: None) -> None:
    run = start_action("test-echo", {"value": 1})
    work_until_idle(5)
    assert "step=" in node(page(reader(), f"/runs/{run}/?view=graph"), "test-echo")


def test_htmx_gets_the_graph_with_the_parts_of_the_page(reader: Reader, runs: Seeded) -> None:
    text = page(reader(), f"/runs/{runs.failed}/?view=graph", HX_Request="true")
    assert 'id="graph"' in text
    assert "<html" not in text


def test_text_of_a_document_is_never_markup(reader: Reader, handlers: None) -> None:
    hostile = '"<b onclick=x>\\u202e"'
    publish(
        "hostile",
        f"""
do:
  - say: {{set: {{{hostile}: 1}}}}
  - which: {{switch: [{{a: {{when: '. == {hostile}', then: end}}}}]}}
  - hear: {{listen: {{to: {{one: {{with: {{type: {hostile}}}}}}}}}}}
""",
    )
    text = page(reader(), "/workflows/hostile/")
    assert "<b onclick" not in text
    assert "\u202e" not in text
    assert "&lt;b onclick=x&gt;" in text


def test_a_draft_is_drawn_and_one_that_cannot_be_says_so(reader: Reader, handlers: None) -> None:
    head = "document: {dsl: 1.0.3, namespace: tests, name: drafted, version: 1.0.0}\n"
    draft = operations.draft_workflow(f"{head}do: [{{a: {{call: test-echo, with: {{value: 1}}}}}}]", actor="user:test")
    assert "test-echo" in node(page(reader(), "/workflows/drafted/"), "a")
    draft.document = {"do": [{"a": 1}, {}]}
    draft.save(update_fields=["document"])
    assert "cannot be drawn" in page(reader(), "/workflows/drafted/")


@pytest.mark.parametrize("count", [3, 60])
def test_a_longer_run_asks_the_database_no_more(reader: Reader, handlers: None, count: int) -> None:
    publish(
        "long", "do: [" + ",".join(f"{{t{n}: {{call: test-echo, with: {{value: 1}}}}}}" for n in range(count)) + "]"
    )
    run = start_workflow("long", {})
    work_until_idle(count + 5)
    version = Run.objects.get(pk=run).workflow_version_id
    assert version is not None
    with CaptureQueriesContext(connection) as asked:
        left = queries.footprint(run)
        queries.drawable("workflow", version)
    assert len(left.steps) >= count
    assert len(asked) == 4


@pytest.mark.django_db
def test_a_poll_reads_a_piece_of_a_long_trail_and_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came first and last is told; what is between them is not even searched."""
    run_id = uuid.uuid4()
    kinds = ["run.started", "run.retried", *["step.succeeded"] * 6, "run.suspended", "run.resumed"]
    with transaction.atomic():
        for number, kind in enumerate(kinds):
            record(chain=run_id, run=run_id, kind=kind, actor="system", data={"path": [f"/do/{number} taken"]})
    monkeypatch.setattr(import_module("workflows.queries.footprint"), "MOST_EVENTS", 4)
    monkeypatch.setattr(trail, "MOST_READ", 2)
    assert [note.key for note in queries.footprint(run_id).notes] == ["/do/0", "/do/1", "/do/8", "/do/9"]
    told = [event.kind for event in trail.key_events(run_id)]
    assert told == ["run.started", "run.suspended", "run.resumed"]
