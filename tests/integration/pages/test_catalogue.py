"""The catalogue: what was used where and when, what may be made, and one word for one thing."""

import sys
from collections.abc import Callable

from django.db import connection
from django.test import Client

from tests.support import rows
from tests.support.engine import start_action, work_until_idle
from tests.support.pages import Seeded, person
from workflows import queries
from workflows.models import Run

Reader = Callable[..., Client]


def page(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_an_action_that_only_workflows_call_lists_where_it_was_called(reader: Reader, runs: Seeded) -> None:
    rows = queries.invocations("test-refuses").items
    assert [(row.run_id, row.step_name, row.label, row.attempts) for row in rows] == [
        (runs.failed, "charge", "failed", 1)
    ]
    shown = page(reader(), "/actions/test-refuses/")
    assert "It has not been run yet" not in shown
    assert f"/runs/{runs.failed}/?step={rows[0].step_id}" in shown
    assert "order/88213" in shown


def test_a_call_that_runs_at_the_moment_is_listed_and_counts_as_used(runs: Seeded) -> None:
    before = queries.last_used_actions()["test-echo"]
    made = Run.objects.get(pk=start_action("test-echo", {"value": 2}))
    rows.root(made).steps.all().delete()
    rows.step(made, state="running", function="test-echo:1.0.0", action_version=made.action_version)
    assert [row.run_id for row in queries.invocations("test-echo", limit=1).items] == [made.pk]
    assert queries.last_used_actions()["test-echo"] > before


def test_calls_are_found_by_indexes_of_steps_that_rest_and_of_steps_that_run(runs: Seeded) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        cursor.execute(
            f"PREPARE looked (uuid[], uuid, int) AS {sys.modules['workflows.queries.invocations']._BACK.text}"
        )
        cursor.execute("EXPLAIN EXECUTE looked('{}', NULL, 9)")
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("DEALLOCATE looked; RESET enable_seqscan; RESET enable_bitmapscan")
    assert "step_idle_by_action" in plan
    assert "step_leased" in plan


def test_invocations_are_the_newest_first_whatever_started_them(runs: Seeded) -> None:
    started = start_action("test-echo", {"value": 7})
    work_until_idle(5)
    rows = queries.invocations("test-echo", limit=3).items
    assert len(rows) == 3
    assert rows[0].run_id == started
    assert [row.created_at for row in rows] == sorted((row.created_at for row in rows), reverse=True)
    assert queries.invocations("nothing-like-it").items == []


def test_lists_say_when_each_was_used_last(reader: Reader, runs: Seeded) -> None:
    assert queries.last_used_actions()["test-refuses"] == queries.invocations("test-refuses").items[0].created_at
    assert "datastore.get" not in queries.last_used_actions()
    assert set(queries.last_used_workflows()) == {"order", "onboard", "pause", "broken"}
    assert "Last run" in page(reader(), "/workflows/")
    assert "Last run" in page(reader(), "/actions/")


def test_lists_offer_to_make_a_new_one_to_those_who_may(reader: Reader, runs: Seeded) -> None:
    for kind, app in (("workflow", "workflows"), ("action", "actions")):
        address = f"/admin/{app}/{kind}version/add/"
        assert address in page(reader("Editor", staff=True), f"/{kind}s/")
        assert address not in page(reader("Operator", staff=True), f"/{kind}s/")
    outsider = person("Editor")
    outsider.is_staff = False
    outsider.save(update_fields=["is_staff"])
    assert "/admin/workflows/workflowversion/add/" not in page(reader("Editor"), "/workflows/")


def test_both_lists_use_one_word_to_start(reader: Reader, runs: Seeded) -> None:
    shown = page(reader(), "/actions/")
    assert "Start<span class" in shown
    assert "Run<span class" not in shown
