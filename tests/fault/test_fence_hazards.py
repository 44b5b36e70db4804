"""The fence of one intended effect grows, whichever step, attempt or claim sends it (P5)."""

from pathlib import Path

import pytest

from tests.fault.test_undo_hazards import CUT_UNDO
from tests.support.engine import begin, finished
from tests.support.interleaving import work_on
from workflows.epoch import CLAIM_BITS
from workflows.models import Step

pytestmark = pytest.mark.usefixtures("handlers")
AGAIN = """
do:
  - again:
      try:
        - out: {call: test-outside, with: {file: "${ $workflow.input.file }", fail: 2}}
        - count: {call: datastore.incr, with: {key: tries}}
        - enough: {if: .value < 3, raise: {error: {type: "urn:busy", status: 503}}}
      catch: {retry: {delay: {milliseconds: 10}, limit: {attempt: {count: 5}}}}
"""


def sent(file: Path) -> list[tuple[str, int]]:
    lines = [line.split() for line in file.read_text().splitlines()]
    return [(key, int(fence)) for key, _, fence in lines]


def test_a_try_that_runs_again_goes_on_with_the_fence(tmp_path: Path) -> None:
    """A receiver that has seen the fence of a retried call would refuse the smaller one of the next attempt."""
    run_id = begin(AGAIN, {"file": str(tmp_path / "f")})
    assert finished(run_id).state == "succeeded"
    found = sent(tmp_path / "f")
    assert len({key for key, _ in found}) == 1
    fences = [fence for _, fence in found]
    assert len(fences) == 9
    assert fences == sorted(set(fences))


def test_an_undo_that_is_taken_up_again_goes_on_with_the_fence(tmp_path: Path) -> None:
    run_id = begin(CUT_UNDO, {"file": str(tmp_path / "f")})
    work_on("outer").done()
    work_on("one").done()  # pays, faults, begins to undo: the first attempt fails
    undo = Step.objects.get(run=run_id, kind="undo")
    Step.objects.filter(pk=undo.pk).update(due_at="2100-01-01T00:00:00Z", claim=undo.claim + 5)
    assert finished(run_id).state == "succeeded"
    fences = [fence for _, fence in sent(tmp_path / "f")]
    assert fences == sorted(set(fences))
    assert fences[-1] % 2**CLAIM_BITS > undo.claim + 5
