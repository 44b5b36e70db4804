"""One statement for everything that belongs to a new run, whatever this process remembers of its definition."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from audit.formulas import GENESIS, link_hash
from audit.models import AuditEvent
from dotdo_site.lib import canonical
from tests.support.documents import publish
from tests.support.engine import finished, start_action, start_workflow
from workflows import operations
from workflows.models import Branch, IdempotencyKey, Payload, Run, WorkflowVersion
from workflows.operations import start
from workflows.payloads import INLINE_BYTES

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.mark.parametrize("actor", ["u", "user:Zoë \U0001f600", "key:\\'\""])
def test_the_database_hashes_the_first_link_as_python_does(actor: str) -> None:
    run = operations.start_action("test-echo", {"value": 'ä\\"'}, actor=actor, trigger="test", key="k").run_id
    link, branch = AuditEvent.objects.get(run=run), Branch.objects.get(run=run)
    assert bytes(link.hash) == bytes(branch.audit_head)
    assert bytes(link.hash) == link_hash(GENESIS, branch.pk, 0, "run.started", actor, link.reason, link.at, link.data)
    assert json.loads(link.data)["of_run"] == str(run)


def test_all_rows_of_a_start_have_one_time() -> None:
    run = Run.objects.get(pk=start_action("test-echo", {"value": 1}, key="k"))
    step, key = run.steps.get(), run.idempotency_keys.get()
    assert {step.created_at, step.due_at, key.created_at, AuditEvent.objects.get(run=run.pk).at} == {run.created_at}


@pytest.mark.parametrize("forgetful", [True, False])
def test_a_repeat_is_the_same_run_whether_or_not_this_process_remembers_its_key(
    forgetful: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if forgetful:
        monkeypatch.setattr(start, "_seen", start._Seen())
        monkeypatch.setattr(start._Seen, "holds", lambda *_: False)
    first = start_action("test-echo", {"value": 1}, key="again")
    assert start_action("test-echo", {"value": 1}, key="again") == first
    with pytest.raises(operations.KeyConflict):
        start_action("test-echo", {"value": 2}, key="again")
    IdempotencyKey.objects.all().delete()
    assert start_action("test-echo", {"value": 2}, key="again") != first
    assert Run.objects.count() == 2


def test_keys_that_were_seen_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "REMEMBERED", 3)
    seen = start._Seen()
    for number in range(5):
        seen.add("workflow:a", str(number))
        assert seen.holds("workflow:a", str(number))
    assert len(seen) <= 3


def test_a_version_published_since_is_the_one_that_starts() -> None:
    publish("trial", "do:\n- say: {call: test-echo, with: {value: 1}}", "1.0.0")
    start_workflow("trial", {})
    publish("trial", "do:\n- tell: {call: test-echo, with: {value: 2}}", "1.1.0")
    run = Run.objects.get(pk=start_workflow("trial", {}))
    assert run.workflow_version is not None
    assert (run.workflow_version.version, run.steps.get().name) == ("1.1.0", "tell")
    assert finished(run.pk).output == 2


def test_a_version_deprecated_since_starts_no_more() -> None:
    publish("trial", "do:\n- say: {call: test-echo, with: {value: 1}}", "1.0.0")
    start_workflow("trial", {})
    WorkflowVersion.objects.update(state="deprecated")
    with pytest.raises(operations.UnknownDefinition):
        start_workflow("trial", {})
    assert Run.objects.count() == 1
    start_workflow("trial", {}, version="1.0.0")


def test_input_that_only_the_version_published_since_takes_is_taken() -> None:
    publish("trial", "input: {schema: {document: {type: object, required: [a]}}}\ndo: [{x: {set: {b: 1}}}]", "1.0.0")
    with pytest.raises(operations.InputInvalid):
        start_workflow("trial", {})
    start_workflow("trial", {"a": 1})
    publish("trial", "do: [{x: {set: {b: 1}}}]", "1.1.0")
    start_workflow("trial", {})
    publish("trial", "input: {schema: {document: {type: object, required: [c]}}}\ndo: [{x: {set: {b: 1}}}]", "1.2.0")
    with pytest.raises(operations.InputInvalid):
        start_workflow("trial", {})
    assert Run.objects.count() == 2


@pytest.mark.parametrize("size", [INLINE_BYTES - 9, INLINE_BYTES + 100])
def test_a_large_input_is_a_payload_and_a_repeat_of_it_the_same_run(size: int) -> None:
    value = {"value": "x" * size}
    first = start_action("test-echo", value, key="k")
    assert start_action("test-echo", value, key="k") == first
    large = len(canonical.dumps(value)) > INLINE_BYTES
    assert Payload.objects.count() == int(large)
    assert Run.objects.get().input == ({"$payload": canonical.digest(value)} if large else value)
    with pytest.raises(operations.KeyConflict) as conflict:
        start_action("test-echo", {"value": "y" * size}, key="k")
    assert conflict.value.differences == ["/value differs"]


def test_an_input_that_looks_like_a_reference_is_kept_as_it_is() -> None:
    run = start_workflow(publish("trial", "do: [{x: {set: {b: 1}}}]"), {"$payload": "0" * 64})
    assert Payload.objects.get(run=run).value == {"$payload": "0" * 64}


def test_a_start_in_a_transaction_that_rolls_back_leaves_nothing() -> None:
    with transaction.atomic():
        start_action("test-echo", {"value": 1}, key="k")
        transaction.set_rollback(True)
    assert not Run.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert not AuditEvent.objects.filter(kind="run.started").exists()
    start_action("test-echo", {"value": 1}, key="k")


def test_a_start_waits_for_another_with_its_key_and_takes_its_place_when_that_is_rolled_back(
    superuser: "psycopg.Connection[tuple[Any, ...]]",
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            start_action("test-echo", {"value": 1}, key="k")
            other = pool.submit(_start_elsewhere)
            _until_somebody_waits(superuser)
            transaction.set_rollback(True)
        assert other.result(10)
    assert Run.objects.count() == 1


def test_a_start_waits_for_another_with_its_key_and_is_that_run_once_it_is_committed(
    superuser: "psycopg.Connection[tuple[Any, ...]]",
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            start_action("test-echo", {"value": 1}, key="k")
            other = pool.submit(_start_elsewhere)
            _until_somebody_waits(superuser)
        assert not other.result(10)
    assert Run.objects.count() == 1


def _start_elsewhere() -> bool:
    try:
        return operations.start_action("test-echo", {"value": 1}, actor="u", trigger="t", key="k").created
    finally:
        connection.close()


def _until_somebody_waits(superuser: "psycopg.Connection[tuple[Any, ...]]") -> None:
    waits = "SELECT FROM pg_stat_activity WHERE datname = 'dotdo' AND wait_event_type = 'Lock'"
    until = time.monotonic() + 20
    while not superuser.execute(waits).fetchall():
        assert time.monotonic() < until
        time.sleep(0.01)
