"""Runs that undo what they had done after a fault: what people read about them."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.support import way
from tests.support.documents import publish
from tests.support.engine import finished, start_workflow
from tests.support.pages import person
from workflows import operations, queries
from workflows.queries.sentences import audit_sentence
from workflows.views import timeline

pytestmark = pytest.mark.usefixtures("handlers")
HEAD = "document: {dsl: 1.0.3, namespace: tests, name: of, version: 1.0.0, metadata: {dotdo: {onFault: undo}}}"
DO = """
do:
  - write:
      call: datastore.set
      with: {key: fk, value: 1}
      metadata: {dotdo: {undo: {call: datastore.delete, with: {key: fk}}}}
  - last: %s
"""
RAISES = '{raise: {error: {type: "https://e.example/x", status: 409, title: Boom}}}'
REFUSED = "{call: test-refuses, with: {code: declined}}"


def undone(last: str) -> queries.RunDetail:
    draft = operations.draft_workflow(HEAD + DO % last, actor="user:test")
    operations.publish_workflow(draft.id, actor="user:test")
    return finished(start_workflow("of", {}))


def sentences(run: queries.RunDetail) -> list[str]:
    return [event.sentence for event in queries.audit(run.id)]


@pytest.mark.parametrize("last", [RAISES, REFUSED])
def test_the_audit_trail_of_an_undone_run_says_what_was_undone_and_nothing_of_none(last: str) -> None:
    run = undone(last)
    assert (run.state, run.reason, run.label) == ("failed", "undone", "undone")
    told = sentences(run)
    assert not [text for text in told if "None" in text]
    assert told[-4:] == [
        "The undo of 1 step was requested",
        "The undo began",
        "the undo of write succeeded",
        "Ended as failed: what it had done is undone",
    ]


@pytest.mark.parametrize("last", [RAISES, REFUSED])
def test_undos_are_not_counted_as_steps_that_are_done(last: str) -> None:
    run = undone(last)
    assert (run.steps_done, run.steps_open, run.steps_failed) == (1, 0, 0)
    assert [line.name for line in way.path(run.id).lines if line.sign == "undone"] == ["undo of write"]
    drawn: Any = timeline.build(run, run.created_at)
    assert [row.step.title for row in drawn.rows if row.step and row.step.kind == "undo"] == ["undo of write"]


def test_the_page_of_an_undone_run_offers_no_retry_and_promises_none() -> None:
    run = undone(RAISES)
    client = Client(headers={"host": "localhost"})
    client.force_login(person("Operator"))
    page = client.get(reverse("run", args=[run.id])).content.decode()
    assert "what it had done is undone" in page
    assert "will not be repeated" not in page
    assert 'data-dialog="dialog-retry"' not in page
    assert "Needs attention" not in client.get(reverse("overview")).content.decode()


def test_the_page_shows_the_key_of_a_step_where_it_is_not_its_place() -> None:
    run = finished(start_workflow(publish("tries", "do: [{t: {try: [{x: {wait: {hours: 1}}}], catch: {}}}]"), {}))
    (step,) = [step for step in run.steps if step.kind == "wait"]
    assert (step.ref, step.key) == ("/do/0/t/try/0/x", "/do/0/t@1/try/0/x")
    client = Client(headers={"host": "localhost"})
    client.force_login(person("Operator"))
    page = client.get(reverse("run", args=[run.id]), {"step": str(step.id)}).content.decode()
    assert '<dt>Key</dt><dd class="mono xs wrap">/do/0/t@1/try/0/x</dd>' in page


def test_a_retry_without_failed_steps_and_a_requested_undo_are_told_in_whole_sentences() -> None:
    assert audit_sentence("run.retried", {"steps": []}) == "The run was retried from the failed step."
    assert audit_sentence("run.undo_requested", {"recorded": 2}) == "The undo of 2 steps was requested"
    assert audit_sentence("run.cancelled", {"reason": "undone"}) == "Ended: what it had done is undone"
