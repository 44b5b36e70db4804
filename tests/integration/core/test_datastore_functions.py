"""The datastore functions, called as the worker calls them: in one transaction with what else they touch."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction
from django.utils import timezone

from actions.errors import ActionError
from actions.limits import MAX_BYTES
from tests.support.documents import publish
from tests.support.engine import finished, start_workflow
from workflows import checkpoint, datastore, operations, queries
from workflows.models import Entry

pytestmark = pytest.mark.usefixtures("database")


def call(verb: str, **arguments: Any) -> dict[str, Any]:
    with transaction.atomic():
        return datastore.run(f"datastore.{verb}", arguments)


def refused(verb: str, **arguments: Any) -> ActionError:
    with pytest.raises(ActionError) as error:
        call(verb, **arguments)
    return error.value


def expire(key: str) -> None:
    Entry.objects.filter(key=key).update(expires_at=timezone.now() - timedelta(seconds=1))


def at_once(count: int, work: Any) -> list[Any]:
    barrier = threading.Barrier(count)

    def one(number: int) -> Any:
        try:
            barrier.wait(10)
            return work(number)
        except ActionError as error:
            return error.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_counting_begins_at_initial_and_takes_steps_of_by() -> None:
    assert call("incr", key="n")["value"] == 1
    assert call("incr", key="n", by=-3) == {"namespace": "default", "key": "n", "value": -2, "version": 2}
    assert call("incr", key="m", initial=10, by=0.5)["value"] == 10.5


def test_a_hundred_increments_at_once_lose_none() -> None:
    for _ in range(10):
        at_once(10, lambda _: call("incr", key="n"))
    assert call("get", key="n") == {"namespace": "default", "key": "n", "value": 100, "version": 100}


@pytest.mark.parametrize("value", ["7", True, None, [1], {"n": 1}])
def test_what_is_no_number_cannot_be_counted(value: Any) -> None:
    call("set", key="n", value=value)
    error = refused("incr", key="n")
    assert (error.code, error.retryable) == ("not_a_number", False)
    assert call("get", key="n")["value"] == value


def test_a_sum_that_json_cannot_hold_is_refused_and_nothing_is_written() -> None:
    call("set", key="n", value=2**53 - 1)
    assert refused("incr", key="n").code == "value_refused"
    call("set", key="x", value=1e308)
    assert refused("incr", key="x", by=1e308).code == "value_refused"
    assert call("get", key="n")["version"] == 1


def test_a_write_against_another_version_is_refused_with_the_current_one() -> None:
    call("set", key="a", value=1)
    assert call("cas", key="a", value=2, version=1)["version"] == 2
    error = refused("cas", key="a", value=3, version=1)
    assert (error.code, error.retryable, error.details) == ("version_conflict", False, {"version": 2})
    assert "default/a was to be at version 1, and is at version 2" in error.message
    assert refused("cas", key="a", value=3, version=0).details == {"version": 2}
    assert refused("cas", key="b", value=3, version=4).details == {"version": 0}
    assert call("cas", key="b", value=3, version=0)["version"] == 1


def test_of_many_writers_of_one_version_exactly_one_wins() -> None:
    assert sorted(map(str, at_once(8, lambda n: call("cas", key="a", value=n, version=0)["version"]))) == [
        "1",
        *["version_conflict"] * 7,
    ]
    assert at_once(8, lambda n: call("cas", key="a", value=n, version=1)["version"]).count(2) == 1


def test_what_is_deleted_is_given_back_once() -> None:
    call("set", key="a", value={"x": 1})
    assert call("delete", key="a") == {"namespace": "default", "key": "a", "value": {"x": 1}, "version": 1}
    assert call("delete", key="a") == {"namespace": "default", "key": "a", "value": None, "version": 0}
    assert call("get", key="a", default=7)["value"] == 7


def test_changes_that_race_with_deletions_neither_fail_nor_revive_old_values() -> None:
    def work(number: int) -> Any:
        return call("delete", key="n") if number % 2 else call("incr", key="n")

    for _ in range(5):
        results = at_once(8, work)
        assert all(isinstance(result, dict) for result in results)
    assert Entry.objects.filter(key="n").count() <= 1


def test_a_list_is_ordered_and_goes_on_behind_the_last_key() -> None:
    for key in ("b", "a/2", "a/1", "c", "a/10"):
        call("set", key=key, value=key)
    call("set", key="a/0", value=0, namespace="other")
    first = call("list", prefix="a/", limit=2)
    rest = call("list", prefix="a/", limit=2, after=first["next"])
    assert [item["key"] for item in first["items"] + rest["items"]] == sorted(["a/1", "a/10", "a/2"])
    assert first["items"][0] == {"key": "a/1", "value": "a/1", "version": 1}
    assert rest["next"] is None
    assert call("list", prefix="%") == {"namespace": "default", "items": [], "next": None}
    assert len(call("list")["items"]) == 5


def test_a_list_that_is_too_large_says_what_to_do() -> None:
    for n in range(3):
        call("set", key=f"k{n}", value="x" * (MAX_BYTES // 2 - 100))
    error = refused("list")
    assert (error.code, error.details) == ("result_too_large", {"fitting": 2})
    assert "smaller `limit`" in error.message
    page = call("list", limit=1)
    assert (len(page["items"]), page["next"]) == (1, "k0")


def test_what_has_expired_is_not_there() -> None:
    for key in ("get", "set", "merge", "incr", "cas", "delete", "list"):
        call("set", key=key, value={"old": 1})
        expire(key)
    assert call("list")["items"] == []
    assert call("get", key="get")["version"] == 0
    assert refused("cas", key="cas", value=1, version=1).details == {"version": 0}
    assert call("delete", key="delete")["value"] is None
    assert call("incr", key="incr")["value"] == 1
    assert call("merge", key="merge", value={"new": 2})["value"] == {"new": 2}
    call("cas", key="cas", value=1, version=0)
    call("set", key="set", value=1)
    assert [item["key"] for item in call("list")["items"]] == ["cas", "incr", "merge", "set"]


def test_an_expired_entry_counts_as_absent_outside_of_workflows_too() -> None:
    call("set", key="a", value=1)
    expire("a")
    assert queries.entry("default", "a") is None
    assert queries.entries("default").items == []
    with pytest.raises(operations.VersionConflict) as error:
        operations.put_entry("default", "a", 2, expected_version=1, actor="user:test")
    assert error.value.current_version == 0
    entry = operations.put_entry("default", "a", 2, expected_version=0, actor="user:test")
    assert (entry.value, entry.version, entry.expires_at) == (2, 2, None)


def test_what_a_failed_transaction_wrote_is_gone() -> None:
    call("set", key="n", value=1)

    def fails() -> None:
        with transaction.atomic():
            call("incr", key="n")
            call("delete", key="n")
            call("cas", key="n", value=1, version=5)

    with pytest.raises(ActionError):
        fails()
    assert call("get", key="n") == {"namespace": "default", "key": "n", "value": 1, "version": 1}


def test_an_increment_whose_checkpoint_was_lost_counts_once(handlers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    publish("count", "do: [{a: {call: datastore.incr, with: {key: n}}}, {b: {call: datastore.incr, with: {key: n}}}]")
    lost: list[int] = []
    write = checkpoint.write

    def sometimes(*args: Any) -> Any:
        if len(lost) < 3 and Entry.objects.filter(key="n").exists():  # seen in the transaction of the function
            lost.append(call("get", key="n")["value"])
            raise OperationalError("the connection was cut")
        return write(*args)

    monkeypatch.setattr(checkpoint, "write", sometimes)
    run = finished(start_workflow("count", {}))
    assert lost == [1, 1, 1]
    assert run.state == "succeeded"
    assert run.output == {"namespace": "default", "key": "n", "value": 2, "version": 2}


def test_a_refused_write_is_an_error_that_a_workflow_can_catch(handlers: None) -> None:
    publish(
        "careful",
        "do:\n"
        "- write: {call: datastore.set, with: {key: a, value: 1}}\n"
        "- again:\n"
        "    try: [{cas: {call: datastore.cas, with: {key: a, value: 2, version: 7}}}]\n"
        "    catch: {as: e, when: '${ $e.title == \"version_conflict\" }', do: [{give: {set: '${ $e.detail }'}}]}\n",
    )
    run = finished(start_workflow("careful", {}))
    assert (run.state, "is at version 1" in run.output) == ("succeeded", True)
