"""Runs that undo what they had done after a fault: what people read about them."""

from typing import Any

import pytest

from tests.support.engine import finished, start_workflow
from workflows import operations, queries
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


@pytest.mark.parametrize("last", [RAISES, REFUSED])
def test_undos_are_not_counted_as_steps_that_are_done(last: str) -> None:
    run = undone(last)
    assert (run.steps_done, run.steps_open, run.steps_failed) == (1, 0, 0)
    assert [line.name for line in queries.path(run.id).lines if line.sign == "undone"] == ["undo of write"]
    drawn: Any = timeline.build(run, run.created_at)
    assert [row.step.title for row in drawn.rows if row.step.kind == "undo"] == ["undo of write"]
