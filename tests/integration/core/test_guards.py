"""What the database refuses by itself, whatever the code above it does."""

import itertools
import uuid
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.utils import Error

from tests.support.documents import publish
from tests.support.engine import finished, start_action, start_workflow, work_until_idle
from workflows import claim, operations, states
from workflows.checkpoint import Progress, StepWrite, write
from workflows.models import Branch, Run, Step

pytestmark = pytest.mark.usefixtures("handlers")


def refused(statement: str, *parameters: Any) -> str:
    with connection.cursor() as cursor, pytest.raises(Error) as error:
        cursor.execute(statement, parameters)
    return str(error.value)


def legal(moves: dict[str, tuple[str, ...]]) -> set[tuple[str, str]]:
    return {(old, new) for old, targets in moves.items() for new in targets}


@pytest.mark.parametrize(("table", "moves"), [("run", states.RUN_MOVES), ("step", states.STEP_MOVES)])
def test_the_triggers_know_the_same_moves_as_the_code(
    superuser: "psycopg.Connection[Any]", table: str, moves: dict[str, tuple[str, ...]]
) -> None:
    row = superuser.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", [f"{table}_legal"]).fetchone()
    assert row is not None
    allowed = {(old, new) for old, new in itertools.product(moves, moves) if f"'{old}>{new}'" in row[0]}
    assert allowed == legal(moves)
    new = superuser.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", [f"{table}_new"]).fetchone()
    assert new is not None
    assert [state for state in moves if f"'{state}'" not in new[0]] == []


def test_a_finished_run_and_its_steps_never_change_again() -> None:
    run = finished(start_action("test-echo", {"value": 1}))
    assert "refused" in refused("UPDATE run SET title = 'x' WHERE id = %s", run.id)
    assert "refused" in refused("UPDATE step SET output = '2' WHERE run_id = %s", run.id)


def test_tokens_never_go_back() -> None:
    run_id = start_action("test-echo", {"value": 1})
    assert "refused" in refused("UPDATE step SET claim = claim - 1 WHERE run_id = %s", run_id)
    assert "refused" in refused("UPDATE branch SET revision = revision WHERE run_id = %s", run_id)


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ("run", "state = 'dancing'"),
        ("run", "state = 'running', finished_at = now()"),
        ("run", "state = 'succeeded', finished_at = NULL"),
        ("run", "kind = 'workflow'"),
        ("run", "kind = 'dance'"),
        ("run", "priority = 5"),
        ("run", "depth = -1"),
        ("run", "parent_index = -1"),
        ("run", "input = '2'"),
        ("branch", "state = 'dancing', revision = revision + 1"),
        ("branch", "audit_seq = -1, revision = revision + 1"),
        ("branch", "index = -1, revision = revision + 1"),
        ("step", "state = 'dancing'"),
        ("step", "kind = 'dance'"),
        ("step", "state = 'running'"),
        ("step", "state = 'running', leased_by = id"),
        ("step", "leased_by = id"),
        ("step", "lease_expires_at = now()"),
        ("step", "attempt = -1"),
        ("step", "failures = -1"),
        ("step", "crashes = -1"),
        ("step", "generation = -1"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused_when_it_is_changed_and_when_it_is_made(table: str, wrong: str) -> None:
    run_id = start_action("test-echo", {"value": 1})
    where = f"{'id' if table == 'run' else 'run_id'} = '{run_id}'"
    assert "refused" in refused(f"UPDATE {table} SET {wrong} WHERE {where}")
    if table == "run" and wrong.startswith("input"):
        return
    names = [row[0] for row in _rows("SELECT attname FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped"
                                     " AND attrelid = %s::regclass", table)]  # fmt: skip
    values = dict.fromkeys(names) | dict(part.split(" = ") for part in wrong.split(", "))
    taken = ", ".join(values[name] or name for name in names)
    assert "refused" in refused(f"INSERT INTO {table} ({', '.join(names)}) SELECT {taken} FROM {table} WHERE {where}")


def test_the_audit_trail_can_only_grow() -> None:
    start_action("test-echo", {"value": 1})
    for statement in ("UPDATE audit_event SET actor = 'nobody'", "DELETE FROM audit_event", "TRUNCATE audit_event"):
        assert "permission denied" in refused(statement)


def test_not_even_the_owner_of_the_rows_may_change_the_audit_trail(superuser: "psycopg.Connection[Any]") -> None:
    start_action("test-echo", {"value": 1})
    for statement in ("UPDATE audit_event SET actor = 'nobody'", "DELETE FROM audit_event", "TRUNCATE audit_event"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            superuser.execute(statement)


def test_published_versions_never_change() -> None:
    publish("frozen", "do: [{a: {set: {b: 1}}}]")
    assert "never changes" in refused("UPDATE workflow_version SET source = 'x'")
    assert "never changes" in refused("DELETE FROM workflow_version")
    assert "never changes" in refused("UPDATE action_version SET timeout_ms = 1")


def test_a_late_worker_cannot_finish_a_reclaimed_step() -> None:
    run_id = start_action("test-echo", {"value": 1})
    late, current = uuid.uuid4(), uuid.uuid4()
    held = claim.take("default", 2, late, 0.0)
    assert held is not None
    assert claim.reap() == [held.step]
    again = claim.take("default", 2, current, 30.0)
    assert again is not None
    assert again.claim == held.claim + 1
    before = _everything(run_id)
    assert write(held, _finish(held), 30.0) is None
    assert _everything(run_id) == before, "nothing at all was written"


def test_a_checkpoint_that_read_an_old_branch_writes_nothing() -> None:
    run_id = start_action("test-echo", {"value": 1})
    held = claim.take("default", 2, uuid.uuid4(), 30.0)
    assert held is not None
    operations.cancel(run_id, actor="user:test", reason="raced")
    before = _everything(run_id)
    assert write(held, _finish(held), 30.0) is None
    assert _everything(run_id) == before


def test_a_step_whose_run_was_cancelled_under_it_is_closed_and_audited() -> None:
    name = publish("raced", "do: [{a: {call: test-echo, with: {value: 1}}}, {b: {call: test-echo, with: {value: 2}}}]")
    run_id = start_workflow(name, {})
    held = claim.take("default", 2, uuid.uuid4(), 0.0)
    assert held is not None
    operations.cancel(run_id, actor="user:test", reason="raced")
    work_until_idle()
    assert list(Step.objects.filter(run=run_id).values_list("state", flat=True)) == ["cancelled"]


def _finish(held: claim.Claimed) -> Progress:
    step = StepWrite(state="succeeded", key="k", ref="", name="n", kind="call", function="", action_version=None)
    return Progress(step=step, cursor={}, links=[])


def _rows(statement: str, *parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def _everything(run_id: uuid.UUID) -> list[Any]:
    return [
        list(Run.objects.filter(pk=run_id).values()),
        list(Branch.objects.filter(run=run_id).values()),
        list(Step.objects.filter(run=run_id).values()),
    ]
