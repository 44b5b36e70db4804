"""What could go wrong with what is kept: of cursors, and in the memory of workers."""

import pytest

from tests.support.engine import begin, work_until_idle
from workflows import checkpoint, payloads
from workflows.models import Run, Step
from workflows.payloads import Packer

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.mark.parametrize(
    "text",
    [
        "do: [{one: {set: {v: 1}}}, {rest: {wait: {hours: 1}}}]",
        "do: [{one: {call: test-echo, with: {value: 1}}}, {rest: {wait: {hours: 1}}}]",
        "do: [{one: {wait: {milliseconds: 1}}}, {rest: {wait: {hours: 1}}}]",
        "do: [{one: {call: test-outside, with: {file: /dev/null}}}, {rest: {wait: {hours: 1}}}]",
        "do: [{f: {fork: {branches: [{a: {set: {v: 1}}}, {b: {set: {v: 1}}}]}}}, {rest: {wait: {hours: 1}}}]",
    ],
)
def test_a_cursor_that_grew_too_large_parks_its_run_with_the_place_and_the_limit(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint.values, "LARGEST_CURSOR", 100)
    run_id = begin(text)
    work_until_idle()
    run = Run.objects.get(pk=run_id)
    assert run.state == "failed"
    assert run.error is not None
    assert run.error["type"].endswith("/runtime")
    assert "100 bytes" in run.error["detail"]
    assert not Step.objects.filter(run=run_id, crashes__gt=0).exists()


def test_what_a_call_leaves_for_its_undo_and_a_listen_for_its_events_is_kept_beside_the_cursor() -> None:
    large = {"value": "x" * 10_000}
    assert len(Packer().cursor({"frames": [{"arguments": large, "pins": large}]})) < 500


def test_a_worker_does_not_keep_all_the_large_values_that_it_has_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "_REMEMBERED_BYTES", 100_000)
    monkeypatch.setattr(payloads, "_digests", payloads._Digests())
    values = [str(number) * 20_000 for number in range(10)]
    for value in values:
        Packer().pack(value)
    kept = [known[0] for known in payloads._digests.values()]
    assert kept == values[-4:]  # the newest ones that fit
