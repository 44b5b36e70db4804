"""Workflows: data flow, branches, waits, the datastore, faults and their repair."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import HEAD, publish
from tests.support.engine import finished, shown, start_workflow, state, work_until_idle
from workflows import operations, queries
from workflows.models import Entry, Step

pytestmark = pytest.mark.usefixtures("handlers")


def run(body: str, value: Any = None, name: str = "flow") -> queries.RunDetail:
    return finished(start_workflow(publish(name, body), value))


def test_outputs_flow_from_step_to_step_and_each_step_is_recorded() -> None:
    detail = run("""
do:
  - first: {call: test-echo, with: {value: "${ .n + 1 }"}}
  - second: {call: test-echo, with: {value: {was: "${ . }", input: "${ $workflow.input.n }"}}}
output: {as: "${ .was }"}
""", {"n": 1})  # fmt: skip
    assert (detail.state, detail.output) == ("succeeded", 2)
    assert [(step.name, step.state) for step in detail.steps] == [("first", "succeeded"), ("second", "succeeded")]


def test_a_switch_takes_the_first_case_that_holds_and_context_is_exported() -> None:
    body = """
do:
  - remember: {set: {n: "${ .n }"}, export: {as: "${ {seen: .n} }"}}
  - which:
      switch:
        - small: {when: "${ .n < 10 }", then: little}
        - big: {then: much}
  - much: {set: {size: big}, then: end}
  - little: {call: test-echo, with: {value: "${ {size: \\"small\\", seen: $context.seen} }"}}
"""
    assert run(body, {"n": 3}).output == {"size": "small", "seen": 3}
    again = finished(start_workflow("flow", {"n": 30}))
    assert again.output == {"size": "big"}


def test_the_context_survives_a_retry_of_the_first_call(tmp_path: Path) -> None:
    detail = run("""
do:
  - remember: {set: {file: "${ .file }"}, export: {as: "${ {seen: 7} }"}}
  - call: {call: test-outside, with: {file: "${ .file }", fail: 1}}
  - last: {set: {seen: "${ $context.seen }"}}
""", {"file": str(tmp_path / "f")})  # fmt: skip
    assert (detail.state, detail.output) == ("succeeded", {"seen": 7})


def test_a_wait_rests_without_a_worker_and_goes_on_exactly_there() -> None:
    publish("pause", """
do:
  - before: {call: test-echo, with: {value: 1}}
  - nap: {wait: {milliseconds: 700}}
  - after: {call: test-echo, with: {value: "${ . }"}}
""")  # fmt: skip
    run_id = start_workflow("pause", {})
    work_until_idle(patience=0.01)
    resting = shown(run_id)
    assert (resting.state, resting.reason) == ("waiting", "timer")
    assert "waiting until" in resting.now
    work_until_idle(patience=2)
    assert shown(run_id).output == 1


def test_the_datastore_is_written_with_the_checkpoint_and_merges() -> None:
    detail = run("""
do:
  - keep: {call: datastore.set, with: {key: "${ .id }", value: {status: registered, welcomeEmailSent: false}}}
  - merge: {call: datastore.merge, with: {key: "${ .key }", value: {status: email_sent, welcomeEmailSent: true}}}
  - read: {call: datastore.get, with: {key: "${ .key }"}, output: {as: .value}}
""", {"id": "usr_12345"})  # fmt: skip
    assert detail.output == {"status": "email_sent", "welcomeEmailSent": True}
    assert Entry.objects.get(key="usr_12345").version == 2


def test_a_failed_action_leaves_the_datastore_unchanged_and_later_steps_have_not_begun() -> None:
    detail = run("""
do:
  - keep: {call: datastore.set, with: {key: a, value: 1}}
  - fails: {call: test-refuses, with: {}}
  - never: {call: datastore.set, with: {key: a, value: 2}}
""")  # fmt: skip
    assert detail.state == "failed"
    assert [step.name for step in detail.steps] == ["keep", "fails"]
    assert Entry.objects.get(key="a").value == 1


def test_retry_repeats_only_the_failed_step(tmp_path: Path) -> None:
    charge, crm = tmp_path / "charge", tmp_path / "crm"
    publish("partial", """
do:
  - charge: {call: test-outside, with: {file: "${ $workflow.input.charge }"}}
  - crm: {call: test-outside, with: {file: "${ $workflow.input.crm }", fail: 3}}
""")  # fmt: skip
    run_id = start_workflow("partial", {"charge": str(charge), "crm": str(crm)})
    assert finished(run_id).state == "failed"
    operations.retry(run_id, actor="user:test", reason="up again")
    assert finished(run_id).state == "succeeded"
    assert len(charge.read_text().splitlines()) == 1
    assert len(crm.read_text().splitlines()) == 4


def test_a_raised_error_parks_the_run_with_its_words_and_a_retry_meets_it_again() -> None:
    detail = run("""
do:
  - work: {call: test-echo, with: {value: 1}}
  - stop: {raise: {error: {type: "https://example.com/errors/stopped", status: 409, title: Stopped, detail: not today}}}
""")  # fmt: skip
    assert (detail.state, detail.error["detail"]) == ("failed", "not today")
    assert [step.state for step in detail.steps] == ["succeeded", "failed"]
    operations.retry(detail.id, actor="user:test", reason="again")
    again = finished(detail.id)
    assert (again.state, [step.state for step in again.steps]) == ("failed", ["succeeded", "failed"])


def test_an_expression_that_fails_after_a_call_does_not_repeat_the_call(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    detail = run("""
do:
  - call: {call: test-outside, with: {file: "${ .file }"}, output: {as: "${ .attempt | fromjson | error(\\"no\\") }"}}
""", {"file": str(file)})  # fmt: skip
    assert detail.state == "failed"
    operations.retry(detail.id, actor="user:test", reason="again")
    assert finished(detail.id).state == "failed"
    assert len(file.read_text().splitlines()) == 1


def test_a_workflow_without_any_call_finishes() -> None:
    assert run("do: [{a: {set: {b: 1}}}]").output == {"b": 1}


def test_a_first_task_that_faults_or_waits_is_the_runs_first_step() -> None:
    failed = run("do: [{a: {set: {b: '${ error(\"x\") }'}}}]", name="faults")
    assert (failed.state, [step.state for step in failed.steps]) == ("failed", ["failed"])
    waited = run("do: [{nap: {wait: {milliseconds: 50}}}, {a: {set: {b: 1}}}]", name="waits")
    assert (waited.state, waited.output) == ("succeeded", {"b": 1})
    assert [step.kind for step in waited.steps] == ["wait"]


def test_a_loop_without_calls_goes_on_by_checkpoints_and_ends() -> None:
    detail = run("""
do:
  - start: {set: {n: 0}}
  - more: {set: {n: "${ .n + 1 }"}}
  - again: {switch: [{on: {when: "${ .n < 1200 }", then: more}}]}
""")  # fmt: skip
    assert detail.output == {"n": 1200}
    assert Step.objects.filter(run=detail.id).count() >= 2


def test_a_run_stays_on_the_version_it_started_with() -> None:
    publish("pinned", "do: [{nap: {wait: {milliseconds: 300}}}, {a: {set: {v: 1}}}]")
    first = start_workflow("pinned", {})
    work_until_idle(patience=0.01)
    publish("pinned", "do: [{nap: {wait: {milliseconds: 1}}}, {a: {set: {v: 2}}}]", "1.1.0")
    second = start_workflow("pinned", {})
    work_until_idle(patience=1)
    assert (shown(first).output, shown(second).output) == ({"v": 1}, {"v": 2})
    assert state(first) == "succeeded"


def test_what_a_document_may_not_say_is_refused_with_pointers() -> None:
    with pytest.raises(operations.DefinitionInvalid) as refused:
        operations.draft_workflow(
            HEAD % ("bad", "1.0.0") + "do: [{a: {call: test-ecko}}, {b: {fork: {branches: []}}}]", actor="u"
        )
    text = " ".join(map(str, refused.value.problems))
    assert "/do/0/a" in text
    assert "test-echo" in text
    assert "/do/1/b" in text
