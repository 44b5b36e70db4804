"""Many runs at once: all or none, one per key, and each as if it had been started alone."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.forms.models import model_to_dict

from actions import ActionError
from actions import running as handler_state
from audit.formulas import GENESIS, link_hash
from audit.models import AuditEvent
from tests.support.documents import publish
from tests.support.engine import start_action, work_until_idle
from workflows import operations
from workflows.models import Branch, IdempotencyKey, Payload, Run
from workflows.operations import Start
from workflows.operations.many_starts import MOST

pytestmark = pytest.mark.usefixtures("handlers")
OWN = {"id", "created_at", "due_at", "run", "branch", "audit_head", "run_id", "branch_id", "key", "digest"}


def echo(value: Any = 1, **options: Any) -> Start:
    return Start("action", "test-echo", {"value": value}, **options)


def start_many(*starts: Start) -> list[operations.Started]:
    return operations.start_many(starts, actor="user:test", trigger="test")


def ids(started: list[operations.Started]) -> list[uuid.UUID]:
    return [each.run_id for each in started]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"key": "k", "title": 'a "b" \\ c, {d} NULL', "tags": ("x", 'y"\\z', "null", "{a,b}", "ä")},
        {"version": "1.0.0", "title": "NULL", "tags": ("",)},
    ],
)
@pytest.mark.parametrize("value", [{}, {"a": 'b"\\n\n', "c": [None, True, 1.5]}, "x" * 5_000])
def test_a_run_of_many_is_stored_as_one_that_was_started_alone(options: dict[str, Any], value: Any) -> None:
    one = operations.start_action("test-echo", {"value": value}, actor="user:Zoë", trigger="test", **options).run_id
    many = [echo(2), echo(value, **options | ({"key": "other"} if "key" in options else {})), echo(3)]
    other = operations.start_many(many, actor="user:Zoë", trigger="test")[1].run_id
    assert stored(one) == stored(other)
    for run in (one, other):
        link, branch = AuditEvent.objects.get(run=run), Branch.objects.get(run=run)
        expected = link_hash(GENESIS, branch.pk, 0, link.kind, link.actor, link.reason, link.at, link.data)
        assert bytes(link.hash) == bytes(branch.audit_head) == expected
    work_until_idle()
    assert Run.objects.filter(state="succeeded").count() == 4


def stored(run_id: uuid.UUID) -> list[dict[str, Any]]:
    run = Run.objects.get(pk=run_id)
    rows = [run, *run.branches.all(), *run.steps.all(), *run.payloads.all(), *run.idempotency_keys.all()]
    return [{name: value for name, value in model_to_dict(row).items() if name not in OWN} for row in rows]


def test_results_come_in_the_order_of_the_list_whatever_is_started() -> None:
    publish("trial", "do:\n- say: {call: test-echo, with: {value: 1}}", "1.0.0")
    publish("trial", "do:\n- say: {call: test-echo, with: {value: 1}}", "1.1.0")
    starts = [
        Start("workflow", "trial", {}, key="z"),
        echo(1, key="z"),
        Start("workflow", "trial", {}, version="1.0.0", key="a"),
        echo(2),
        Start("workflow", "trial", {}, key="b"),
    ]
    runs = [Run.objects.get(pk=each) for each in ids(start_many(*starts))]
    assert [(run.kind, run.name, run.key) for run in runs] == [(s.kind, s.name, s.key or "") for s in starts]
    assert [run.workflow_version and run.workflow_version.version for run in runs] == [
        "1.1.0", None, "1.0.0", None, "1.1.0",
    ]  # fmt: skip


def test_one_bad_start_among_many_starts_none_and_every_problem_is_named() -> None:
    first = start_action("test-echo", {"value": 1}, key="used")
    with pytest.raises(operations.StartsRefused) as refused:
        start_many(
            echo(),
            Start("action", "test-ehco", {}),
            echo(key="two words"),
            Start("action", "test-ledger", {"nome": 1}),
            echo(version="9.9.9"),
            echo(key="new"),
        )
    kinds = {number: type(error) for number, error in refused.value.refusals.items()}
    assert kinds == {
        1: operations.UnknownDefinition,
        2: operations.KeyInvalid,
        3: operations.InputInvalid,
        4: operations.errors.UnknownVersion,
    }
    with pytest.raises(operations.StartsRefused) as refused:
        start_many(echo(), echo(2, key="used"), echo(key="new"))
    (conflict,) = refused.value.refusals.values()
    assert isinstance(conflict, operations.KeyConflict)
    assert (conflict.run_id, conflict.differences) == (first, ["/value differs"])
    assert Run.objects.count() == IdempotencyKey.objects.count() == 1
    assert AuditEvent.objects.filter(kind="run.started").count() == 1


def test_many_starts_repeated_are_the_same_runs() -> None:
    starts = [echo(n, key=f"k{n}") for n in range(20)]
    first, again = start_many(*starts), start_many(*starts)
    assert ids(first) == ids(again)
    assert (all(each.created for each in first), any(each.created for each in again)) == (True, False)
    mixed = start_many(*starts[15:], *(echo(n, key=f"k{n}") for n in range(20, 25)))
    assert [each.created for each in mixed] == [False] * 5 + [True] * 5
    assert ids(mixed)[:5] == ids(first)[15:]
    assert Run.objects.count() == 25


def test_a_key_used_twice_in_a_list_is_one_run_or_a_refusal() -> None:
    first, other, again = start_many(echo(1, key="k"), echo(1), echo(1, key="k"))
    assert (first.created, other.created, again.created) == (True, True, False)
    assert first.run_id == again.run_id != other.run_id
    assert ids(start_many(echo(1, key="k"), echo(1, key="k"))) == [first.run_id, first.run_id]
    with pytest.raises(operations.StartsRefused) as refused:
        start_many(echo(1, key="new"), echo(2, key="new"))
    assert isinstance(refused.value.refusals[1], operations.KeyTwice)
    assert Run.objects.count() == 2


def test_many_starts_in_a_transaction_that_rolls_back_leave_nothing() -> None:
    with transaction.atomic():
        start_many(*(echo(n, key=f"k{n}") for n in range(5)))
        transaction.set_rollback(True)
    assert not Run.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert all(each.created for each in start_many(*(echo(n, key=f"k{n}") for n in range(5))))


def test_a_refusal_inside_a_transaction_leaves_the_rest_of_it() -> None:
    start_action("test-echo", {"value": 1}, key="used")
    with transaction.atomic():
        start_many(echo(key="a"), echo(key="b"))
        with pytest.raises(operations.StartsRefused):
            start_many(echo(key="c"), echo(2, key="used"))
    assert set(IdempotencyKey.objects.values_list("key", flat=True)) == {"used", "a", "b"}


def test_lists_with_the_same_keys_at_the_same_moment_make_each_run_once() -> None:
    def start(turn: int) -> list[operations.Started]:
        try:
            starts = [echo(n, key=f"k{n}") for n in range(40)]
            return start_many(*(starts if turn % 2 else reversed(starts)))
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(start, range(6)))
    assert Run.objects.count() == IdempotencyKey.objects.count() == 40
    assert len({frozenset(ids(answer)) for answer in answers}) == 1
    assert sum(each.created for answer in answers for each in answer) == 40


def test_a_handler_cannot_start_many_runs() -> None:
    with handler_state.handler(handler_state.Running("test", transactional=True)), pytest.raises(ActionError):
        start_many(echo())


def test_an_empty_list_starts_nothing_and_too_long_a_one_is_refused() -> None:
    assert start_many() == []
    with pytest.raises(operations.TooMany):
        start_many(*[echo()] * (MOST + 1))
    assert not Payload.objects.exists()
