"""What has been over for long enough is exported and deleted, whole, and nothing else is."""

import getpass
import gzip
import hashlib
import json
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import Model

from actions.models import Action
from audit.models import AuditEvent
from audit.verify import verify
from tests.integration.retention.aging import aged, family, mentions, old_action, old_workflow, there, written
from tests.support import rows
from tests.support.documents import publish
from tests.support.engine import begin, broadcast, start_action, state, work_until_idle
from workflows import operations, retention
from workflows.models import Event, IdempotencyKey, Run, Step, Workflow
from workflows.retention import deleting, picking, removal

WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}
CHILD = "do:\n- hello: {call: 'test-echo', with: {value: '${ .word }'}}\n"
PARENT = "do:\n- below: {run: {workflow: {namespace: tests, name: child, version: 1.0.0, input: {word: hi}}}}\n"
MAP = "do:\n- all: {call: map, with: {items: '${ .items }', workflow: {name: child}}}\n"


def test_a_run_that_is_old_enough_goes_with_all_its_rows(archive: Path) -> None:
    run = old_action("x" * 5_000, key="order-1")
    young = start_action("test-echo", {"value": 2})
    work_until_idle()
    steps = Step.objects.filter(run=run).values_list("pk", flat=True)
    names = [run, *steps]
    assert mentions(*names)
    assert retention.delete_due() == 1
    assert there(run, young) == {young}
    assert mentions(*names) == {}
    assert verify().broken == []


def test_everything_is_written_before_it_is_deleted(archive: Path) -> None:
    run = old_action("x" * 5_000, key="order-1")
    retention.delete_due()
    [line] = written(archive)
    assert line["run"]["id"] == str(run)
    assert line["run"]["input"] == {"value": "x" * 5_000}
    assert line["run"]["output"] == "x" * 5_000
    assert line["idempotency_keys"][0]["key"] == "order-1"
    assert [step["output"] for step in line["steps"]] == ["x" * 5_000]
    [file] = archive.rglob("*.gz")
    assert file.stat().st_mode & 0o777 == 0o600
    told = json.loads(AuditEvent.objects.get(kind="retention.deleted").data)
    assert (told["file"], told["runs"]) == (str(file.relative_to(archive)), 1)
    assert told["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_attempts_logs_messages_and_events_are_in_the_archive(archive: Path) -> None:
    run = begin("do:\n- ask: {listen: {to: {one: {with: {type: paid}}}}}\n- f: {call: test-refuses}\n")
    work_until_idle()
    event = {"specversion": "1.0", "id": "1", "source": "/tests", "type": "paid", "subject": str(run), "data": 7}
    operations.deliver_event(event, actor="user:test", via="api")
    work_until_idle()
    operations.resolve(run, **WHY)
    aged(run)
    assert retention.delete_due() == 1
    [line] = written(archive)
    assert [message["event"]["data"] for message in line["messages"]] == [7]
    failed = next(step for step in line["steps"] if step["state"] == "failed")
    assert failed["attempts"][0]["error"]["code"] == "declined"
    assert not Event.objects.exists()


def test_an_event_that_came_when_the_run_was_over_is_in_the_archive_as_well(archive: Path) -> None:
    run = start_action("test-echo", {"value": 1})
    work_until_idle()
    event = {"specversion": "1.0", "id": "1", "source": "/tests", "type": "paid", "subject": str(run), "data": 7}
    operations.deliver_event(event, actor="user:test", via="api")
    aged(run)
    assert retention.delete_due() == 1
    [line] = written(archive)
    assert [late["event"]["data"] for late in line["late_events"]] == [7]
    assert line["messages"] == []
    assert not Event.objects.exists()


def test_what_is_masked_for_others_is_masked_in_the_archive(archive: Path) -> None:
    old_action({"password": "hunter2", "name": "ada"})
    retention.delete_due()
    [file] = archive.rglob("*.gz")
    text = gzip.decompress(file.read_bytes()).decode()
    assert "hunter2" not in text
    assert "ada" in text


def test_nothing_is_deleted_that_still_needs_somebody(archive: Path) -> None:
    waiting = begin("do:\n- ask: {listen: {to: {one: {with: {type: paid}}}}}\n")
    dead = start_action("test-refuses", {})
    resolved = start_action("test-refuses", {})
    work_until_idle()
    operations.resolve(resolved, **WHY)
    aged(waiting, dead, resolved)
    Run.objects.filter(pk=waiting).update(created_at="2000-01-01T00:00:00Z")
    assert retention.delete_due() == 1
    assert there(waiting, dead, resolved) == {waiting, dead}
    broadcast()
    work_until_idle()
    assert state(waiting) == "succeeded"
    operations.retry(dead, **WHY)


def test_a_resolved_run_that_goes_on_after_all_is_kept(archive: Path) -> None:
    run = rows.run("running", resolved_at="2000-01-01T00:00:00Z")
    assert retention.delete_due() == 0
    assert there(run.pk) == {run.pk}


def test_a_parent_and_its_child_go_together(archive: Path) -> None:
    publish("child", CHILD)
    run = old_workflow(PARENT)
    runs = family(run)
    assert len(runs) == 2
    assert retention.delete_due() == 2
    assert there(*runs) == set()
    assert [line["run"]["id"] for line in written(archive)] == [str(each) for each in sorted(runs)]


def test_a_child_never_goes_before_its_parent(archive: Path) -> None:
    publish("child", CHILD)
    run = begin(PARENT)
    work_until_idle()
    child = family(run)[1]
    aged(child)
    assert retention.delete_due() == 0
    assert there(run, child) == {run, child}


def test_a_family_stays_while_one_of_its_children_is_a_dead_letter(archive: Path) -> None:
    publish("child", "do:\n- no: {call: test-refuses}\n")
    run = begin(MAP.replace("workflow:", "onError: collect, workflow:"), {"items": [{}, {}]})
    work_until_idle()
    runs = family(run)
    operations.resolve(runs[1], **WHY)
    aged(*runs)
    assert retention.delete_due() == 0
    operations.resolve(runs[2], **WHY)
    assert retention.delete_due() == 0, "it is not old enough"
    aged(runs[2])
    assert retention.delete_due() == 3


def test_a_family_that_is_too_large_for_one_transaction_goes_from_below(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picking, "MOST_RUNS", 3)
    publish("child", CHILD)
    run = old_workflow(MAP, {"items": [{"word": str(n)} for n in range(7)]})
    runs = family(run)
    sizes = list[list[uuid.UUID]]()

    def counted(some: Sequence[uuid.UUID]) -> None:
        sizes.append(list(some))
        removal.remove(some)

    monkeypatch.setattr(deleting, "remove", counted)
    assert retention.delete_due(60) == 8
    assert max(map(len, sizes)) <= 4
    assert run in sizes[-1]
    assert all(run not in some for some in sizes[:-1])
    assert {line["run"]["id"] for line in written(archive)} == {str(each) for each in runs}
    assert verify().broken == []


def test_each_definition_keeps_its_runs_as_long_as_it_says(archive: Path, settings: Any) -> None:
    settings.RETENTION_DAYS = None
    kept, gone = old_action(), old_workflow(CHILD, {"word": "x"})
    assert retention.delete_due() == 0
    operations.keep_runs("workflow", "story", 39, **WHY)
    operations.keep_runs("action", "test-echo", 41, **WHY)
    assert retention.delete_due() == 1
    assert there(kept, gone) == {kept}
    assert AuditEvent.objects.filter(kind="retention.changed").count() == 2


def test_a_child_that_is_kept_longer_keeps_those_above_it(archive: Path) -> None:
    publish("child", CHILD)
    runs = family(old_workflow(PARENT))
    Workflow.objects.filter(name="child").update(keep_days=365)
    assert retention.delete_due() == 0
    aged(*runs, age=timedelta(days=365))
    assert retention.delete_due() == 2


def test_a_day_is_the_least(archive: Path) -> None:
    run = start_action("test-echo", {"value": 1})
    work_until_idle()
    Action.objects.update(keep_days=0)
    assert retention.delete_due() == 0
    assert there(run) == {run}
    with pytest.raises(operations.AnswerInvalid):
        operations.keep_runs("action", "test-echo", 0, **WHY)


def test_the_same_key_makes_a_new_run_when_its_run_is_deleted(archive: Path) -> None:
    run = old_action(key="order-1")
    assert start_action("test-echo", {"value": 1}, key="order-1") == run
    retention.delete_due()
    again = start_action("test-echo", {"value": 1}, key="order-1")
    assert again != run
    assert IdempotencyKey.objects.get().run_id == again


def test_an_event_for_everybody_outlives_the_run_that_got_it(archive: Path) -> None:
    run = begin("do:\n- ask: {listen: {to: {one: {with: {type: paid}}}}}\n")
    work_until_idle()
    broadcast()
    work_until_idle()
    aged(run)
    assert retention.delete_due() == 1
    before = Event.objects.get().pk
    broadcast()
    assert Event.objects.get().pk == before


def test_an_event_for_a_run_that_is_deleted_starts_nobody_else(archive: Path) -> None:
    run = old_action()
    retention.delete_due()
    listening = begin("do:\n- ask: {listen: {to: {one: {with: {type: paid}}}}}\n")
    work_until_idle()
    event = {"specversion": "1.0", "id": "1", "source": "/tests", "type": "paid", "subject": str(run), "data": "dear"}
    assert operations.deliver_event(event, actor="user:test", via="api").runs == []
    assert state(listening) == "waiting"
    assert "data" not in Event.objects.get().envelope


@pytest.mark.parametrize("table", ["branch", "step", "attempt", "payload"])
def test_the_database_refuses_to_delete_a_part_of_a_run(archive: Path, table: str) -> None:
    run = start_action("test-outside", {"file": "/dev/null", "fail": 1})
    old_action("x" * 5_000)
    work_until_idle()
    assert state(run) == "succeeded"
    with pytest.raises(IntegrityError, match="goes with its run"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")


def test_the_database_refuses_to_leave_steps_behind(archive: Path) -> None:
    run = old_action()
    without_steps = f"DELETE FROM run WHERE id = '{run}'; DELETE FROM branch WHERE run_id = '{run}'"
    with pytest.raises(IntegrityError, match="are still there"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(without_steps)
    assert there(run) == {run}


@pytest.mark.parametrize("over", ["pending", "running", "waiting", "suspended", "failed"])
def test_the_database_refuses_to_delete_a_run_that_is_not_over(archive: Path, over: str) -> None:
    run = rows.run(over)
    with pytest.raises(IntegrityError, match="is not deleted"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM run WHERE id = %s", [run.pk])


def test_a_run_that_another_app_needs_keeps_no_other(archive: Path, superuser: Any) -> None:
    kept, gone = old_action(1), old_action(2)
    superuser.execute("CREATE TABLE IF NOT EXISTS others (run uuid REFERENCES run DEFERRABLE INITIALLY DEFERRED)")
    superuser.execute("GRANT ALL ON others TO dotdo")
    superuser.execute("INSERT INTO others VALUES (%s)", [kept])
    try:
        with pytest.raises(retention.RunsKept, match=str(kept)):
            retention.delete_due(60)
    finally:
        superuser.execute("DROP TABLE others")
    assert there(kept, gone) == {kept}
    assert [line["run"]["id"] for line in written(archive)] == [str(gone)]


def test_the_command_shows_what_would_go_and_then_lets_it(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = old_action()
    call_command("delete_old_runs", "--dry-run")
    assert "action test-echo: due 1 (kept for 30 d)" in capsys.readouterr().out
    assert there(run) == {run}
    call_command("delete_old_runs")
    assert there(run) == set()
    assert AuditEvent.objects.get(kind="retention.deleted").actor == f"cli:{getpass.getuser()}"
    call_command("delete_old_runs")
    assert "Nothing is due." in capsys.readouterr().out


def test_without_export_nothing_is_written(archive: Path, settings: Any) -> None:
    settings.RETENTION_EXPORT = False
    old_action()
    assert retention.delete_due() == 1
    assert not archive.exists()


def test_no_table_that_refers_to_a_run_is_forgotten() -> None:
    """A new table with a key to a run, or to what belongs to one, has to be in `removal`."""
    known = " ".join(statement.text for statement in removal._ALL)
    models: set[type[Model]] = {Run}
    for _ in range(4):
        models |= {
            relation.related_model
            for model in models
            for relation in model._meta.related_objects
            if isinstance(relation.related_model, type) and relation.related_model.__module__.startswith("workflows.")
        }
    for model in models:
        assert f"DELETE FROM {model._meta.db_table} " in known or f"UPDATE {model._meta.db_table} " in known, model


def test_each_key_that_deleting_checks_has_an_index(superuser: Any) -> None:
    """Without one, each deleted row costs a look at the whole table that refers to it."""
    rows = superuser.execute(
        """
        SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'f' AND c.confrelid::regclass::text IN ('run', 'branch', 'step', 'event', 'notice')
            AND NOT EXISTS (
                SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1] AND i.indisvalid
                    AND coalesce(pg_get_expr(i.indpred, i.indrelid), '') IN ('', format('(%I IS NOT NULL)', a.attname)))
        """
    ).fetchall()
    assert rows == []
