"""The real cluster: hints, kills, drains, leases. What is promised here holds whichever process dies."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from audit.verify import verify
from tests.support.cluster import children, cluster, until
from tests.support.documents import publish
from tests.support.engine import shown, start_action, start_workflow, state
from workflows.models import Attempt, Entry, Run, Step, Worker

pytestmark = pytest.mark.usefixtures("handlers")


def ledger(name: str) -> int:
    return Entry.objects.filter(namespace="ledger", key__startswith=f"{name}-").count()


def test_the_cluster_executes_what_is_due_and_drains(tmp_path: Path) -> None:
    with cluster(tmp_path / "log") as process:
        runs = [start_action("test-echo", {"value": number}) for number in range(20)]
        until(lambda: Run.objects.filter(state="succeeded").count() == len(runs))
        begun = time.monotonic()
        late = start_action("test-echo", {"value": "late"})
        until(lambda: state(late) == "succeeded", 5)
        assert time.monotonic() - begun < 3, "an idle cluster is woken, not polled"
        pids = [process.pid, *children(process.pid)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(35) == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()], "no orphans"
    assert not Worker.objects.filter(stopped_at=None).exists()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_killed_in_a_transactional_handler_leaves_the_effect_exactly_once(tmp_path: Path, when: str) -> None:
    run_id = start_action("test-ledger", {"name": when, "die": when, "release": str(tmp_path / "killed")})
    with cluster(tmp_path / "log", DOTDO_LEASE_SECONDS="30"):
        until(lambda: state(run_id) == "succeeded", 25, "recovery well before the lease ends")
    assert ledger(when) == 1
    step = Step.objects.get(run=run_id)
    assert (step.crashes, step.attempt) == (1, 2)
    assert list(Attempt.objects.values_list("outcome", flat=True)) == ["crashed"]


def test_a_worker_killed_after_an_outside_call_repeats_it_with_the_same_key(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    run_id = start_action("test-outside", {"file": str(file), "kill": 1})
    with cluster(tmp_path / "log"):
        until(lambda: state(run_id) == "succeeded", 25)
    lines = [line.split() for line in file.read_text().splitlines()]
    assert len(lines) == 2
    assert lines[0][0] == lines[1][0]
    assert int(lines[0][2]) < int(lines[1][2]), "the fence grows"


def test_a_step_that_kills_its_workers_is_parked_and_others_go_on(tmp_path: Path) -> None:
    poison = start_action("test-outside", {"file": str(tmp_path / "p"), "kill": 100})
    with cluster(tmp_path / "log"):
        good = [start_action("test-echo", {"value": n}) for n in range(5)]
        until(lambda: all(state(run) == "succeeded" for run in good), 30)
        until(lambda: state(poison) == "failed", 40)
    detail = shown(poison)
    assert (detail.label, detail.steps[0].crashes) == ("poisoned", 3)
    assert "3 times" in detail.now


def test_a_drain_in_the_middle_of_a_handler_loses_nothing(tmp_path: Path) -> None:
    name = publish("drained", """
do:
  - slow: {call: test-outside, with: {file: "${ $workflow.input.file }", sleep: 1.5}}
  - next: {call: test-outside, with: {file: "${ $workflow.input.file }", sleep: 0.1}}
""")  # fmt: skip
    file = tmp_path / "calls"
    run_id = start_workflow(name, {"file": str(file)})
    with cluster(tmp_path / "log") as process:
        until(file.exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(35) == 0
    assert Step.objects.get(run=run_id, name="slow").state == "succeeded"
    assert Step.objects.get(run=run_id, name="next").state == "ready"
    with cluster(tmp_path / "log"):
        until(lambda: state(run_id) == "succeeded")
    assert len(file.read_text().splitlines()) == 2


def test_a_long_handler_keeps_its_lease_by_heartbeat(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    run_id = start_action("test-outside", {"file": str(file), "sleep": 5})
    with cluster(tmp_path / "log", DOTDO_LEASE_SECONDS="3"):
        until(lambda: state(run_id) == "succeeded", 20)
    assert len(file.read_text().splitlines()) == 1
    assert Step.objects.get(run=run_id).crashes == 0


def test_a_frozen_worker_that_wakes_up_late_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    run_id = start_action("test-outside", {"file": str(file), "sleep": 3})
    with cluster(tmp_path / "lost", DOTDO_LEASE_SECONDS="3") as lost:
        until(file.exists)
        host = [lost.pid, *children(lost.pid)]
        for pid in host:
            os.kill(pid, signal.SIGSTOP)  # the whole host, its watchdog as well
        try:
            with cluster(tmp_path / "other", DOTDO_LEASE_SECONDS="3"):
                until(lambda: state(run_id) == "succeeded", 40, "takeover after the lease")
        finally:
            for pid in host:
                with suppress(ProcessLookupError):  # one that had ended is gone as soon as its parent goes on
                    os.kill(pid, signal.SIGCONT)
        time.sleep(4)
    lines = [line.split() for line in file.read_text().splitlines()]
    assert len(lines) == 2
    step = Step.objects.get(run=run_id)
    assert (step.state, step.attempt, step.crashes) == ("succeeded", 2, 1)
    assert verify().broken == []


def test_connections_that_break_all_the_time_neither_lose_nor_double_an_effect(
    tmp_path: Path, superuser: "psycopg.Connection[Any]"
) -> None:
    file = tmp_path / "calls"
    name = publish("cut", """
do:
  - one: {call: test-ledger, with: {name: "${ $workflow.id }"}}
  - two: {call: test-outside, with: {file: "${ $workflow.input.file }"}}
  - three: {call: datastore.set, with: {key: "${ $workflow.id }", value: 1}}
  - four: {call: test-ledger, with: {name: "${ $workflow.id }"}}
""")  # fmt: skip
    runs = [start_workflow(name, {"file": str(file)}) for _ in range(300)]
    connection.close()
    with cluster(tmp_path / "log"):
        for _ in range(12):
            time.sleep(0.4)
            superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = 'dotdo' AND backend_type = 'client backend' AND random() < 0.7"
            )
        until(lambda: not Run.objects.exclude(state="succeeded").exists(), 60)
    assert Entry.objects.filter(namespace="ledger").count() == 2 * len(runs)
    assert not Entry.objects.exclude(namespace="ledger").exclude(version=1).exists()
    assert len({line.split()[0] for line in file.read_text().splitlines()}) == len(runs)
    assert verify().broken == []


def test_a_cluster_that_hears_nothing_is_restarted(tmp_path: Path) -> None:
    with cluster(tmp_path / "log") as process:
        until(lambda: len(children(process.pid)) >= 5)
        for frozen in children(process.pid)[1:]:
            os.kill(frozen, signal.SIGSTOP)
        run_id = start_action("test-echo", {"value": 1})
        until(lambda: state(run_id) == "succeeded", 25)


def test_a_backlog_older_than_the_watchdogs_patience_is_not_taken_for_deafness(tmp_path: Path) -> None:
    for number in range(4_500):
        start_action("test-echo", {"value": number})
    Step.objects.update(due_at="2020-01-01T00:00:00Z")
    with cluster(tmp_path / "log", DOTDO_WORKERS="1"):
        until(lambda: not Step.objects.filter(state="ready").exists(), 150)
    assert "left lying" not in (tmp_path / "log").read_text()
    assert not Step.objects.filter(crashes__gt=0).exists()
