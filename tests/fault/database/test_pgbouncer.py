"""Web and workers through a real PgBouncer in transaction mode, with fewer connections than clients."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from pytest_django import Settings

from audit.verify import verify
from dotdo_site import database_checks, embedded_postgres
from dotdo_site.pooling import is_pooled
from tests.fault.database.test_restart import api_key
from tests.support import own_database
from tests.support.cluster import ROOT, cluster, sql, until
from tests.support.documents import publish
from tests.support.engine import finished, start_action, state
from tests.support.pgbouncer import keeps_prepared_statements, pgbouncer
from tests.support.web import ask, web
from workflows.listener import Listener
from workflows.models import Entry, Run, Step

pytestmark = pytest.mark.usefixtures("handlers")

RUNS = 24
BODY = """
do:
  - prepare: {call: test-ledger, with: {name: "${ $workflow.input.name }"}}
  - outside: {call: test-outside, with: {file: "${ $workflow.input.file }"}}
  - both:
      fork:
        branches:
          - left: {call: test-ledger, with: {name: "${ $workflow.input.name }"}}
          - right: {call: datastore.incr, with: {namespace: counts, key: "${ $workflow.input.name }"}}
  - pause: {wait: {milliseconds: 300}}
  - paid:
      listen:
        to:
          one:
            with: {type: paid}
            correlate:
              order: {from: "${ .data.order }", expect: "${ $workflow.input.name }"}
  - close: {call: test-ledger, with: {name: "${ $workflow.input.name }"}}
"""


@pytest.fixture
def pooler(postgres: str) -> Iterator[int]:
    """Run PgBouncer in front of the tests' server."""
    with pgbouncer(settings.VAR_DIR) as port:
        yield port


def url(port: int) -> str:
    return f"postgresql://dotdo@127.0.0.1:{port}/dotdo"


@pytest.mark.parametrize("direct", [True, False], ids=["listening past it", "polling"])
def test_runs_of_every_construct_act_once_through_a_pooler_that_is_too_small(
    pooler: int, tmp_path: Path, direct: bool
) -> None:
    name, key, file, log = publish("pooled", BODY), api_key(), tmp_path / "calls", tmp_path / "log"
    listen = {"DOTDO_LISTEN_URL": embedded_postgres.application_url(settings.VAR_DIR)} if direct else {}
    there = {"DATABASE_URL": url(pooler), **listen}
    connection.close()
    with web(log, **there, DOTDO_WEB_THREADS="4") as port, cluster(log, **there, DOTDO_WORKERS="3"):
        assert ask(port, "GET", "/readyz").status == 200

        def start(number: int) -> None:
            body = {"input": {"name": f"o{number}", "file": str(file)}}
            for _ in range(2):  # a client that repeats what was answered already
                answer = ask(port, "POST", f"/api/v1/workflows/{name}/runs", key, body, Idempotency_Key=f"o{number}")
                assert answer.status in {200, 201}, answer

        _at_once(start)
        until(lambda: Step.objects.filter(kind="listen", state="waiting").count() == RUNS, 90)

        def pay(number: int) -> None:
            event = {"specversion": "1.0", "id": f"p{number}", "source": "/tests", "type": "paid"}
            for _ in range(2):
                answer = ask(port, "POST", "/api/v1/events", key, event | {"data": {"order": f"o{number}"}})
                assert answer.status in {200, 201, 202}, answer

        _at_once(pay)
        until(lambda: Run.objects.filter(state="succeeded").count() == RUNS, 90)
    assert Run.objects.count() == RUNS
    for number in range(RUNS):
        assert Entry.objects.filter(namespace="ledger", key__startswith=f"o{number}-").count() == 3
    assert list(Entry.objects.filter(namespace="counts").values_list("version", flat=True)) == [1] * RUNS
    assert len({line.split()[0] for line in file.read_text().splitlines()}) == RUNS
    assert len(file.read_text().splitlines()) == RUNS, "without a fault each outside call happens once"
    assert verify().broken == []
    said = log.read_text()
    assert "prepared statement" not in said
    assert ("dotdo.W077" in said) is not direct


def test_a_long_handler_keeps_its_lease_through_a_pooler(pooler: int, tmp_path: Path) -> None:
    run_id = start_action("test-outside", {"file": str(tmp_path / "calls"), "sleep": 9})
    connection.close()
    with cluster(tmp_path / "log", DATABASE_URL=url(pooler), DOTDO_LEASE_SECONDS="3"):
        until(lambda: state(run_id) == "succeeded", 40)
    assert len((tmp_path / "calls").read_text().splitlines()) == 1
    assert "could not be renewed" not in (tmp_path / "log").read_text()


def test_an_idle_cluster_behind_a_pooler_hears_of_due_work_past_it(pooler: int, tmp_path: Path) -> None:
    direct = embedded_postgres.application_url(settings.VAR_DIR)
    there = {"DATABASE_URL": url(pooler), "DOTDO_LISTEN_URL": direct, "DOTDO_POLL_SECONDS": "30"}
    with cluster(tmp_path / "log", **there):
        first = start_action("test-echo", {"value": 1})
        until(lambda: state(first) == "succeeded")
        until(lambda: sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'dotdo listener'"))
        time.sleep(0.5)
        second = start_action("test-echo", {"value": 2})
        until(lambda: state(second) == "succeeded", 10)


def test_a_listener_that_is_cut_off_polls_and_comes_back(postgres: str, settings: Settings, db: None) -> None:
    settings.LISTEN_URL = embedded_postgres.application_url(settings.VAR_DIR)
    listener = Listener()
    listener.listen()
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dotdo listener'")
    listener.wait(0.2)
    listener.listen()
    began = time.monotonic()
    listener.wait(0.2)
    assert time.monotonic() - began >= 0.2
    listener._again_at = 0.0
    listener.listen()
    sql("NOTIFY dotdo_due")
    assert sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dotdo listener'") == [(1,)]


def test_a_pooler_is_recognised_and_nothing_is_prepared_behind_it(pooler: int) -> None:
    connection.close()
    connection.ensure_connection()
    assert not is_pooled(connection.connection)
    assert connection.connection.prepare_threshold == 5
    with own_database.pointed_at("127.0.0.1", str(pooler)):
        connection.ensure_connection()
        assert is_pooled(connection.connection)
        assert connection.connection.prepare_threshold is None
        found = database_checks.check_the_database_that_answers(["default"])
        assert [message.id for message in found] == ["dotdo.W077"]


def test_a_migration_through_a_pooler_is_refused_and_leaves_no_session_without_limits(pooler: int) -> None:
    limits = sql("SELECT current_setting('statement_timeout')")
    environment = os.environ | {"DATABASE_URL": url(pooler)}
    migrate = [sys.executable, str(ROOT / "manage.py"), "migrate", "--skip-checks"]
    done = subprocess.run(migrate, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Name the server itself" in done.stderr
    with own_database.pointed_at("127.0.0.1", str(pooler)):
        for _ in range(5):
            assert sql("SELECT current_setting('statement_timeout')") == limits


def test_a_pooler_that_keeps_prepared_statements_may_be_told_to(postgres: str, settings: Settings) -> None:
    if not keeps_prepared_statements():
        pytest.skip("this PgBouncer is older than 1.21: it keeps no prepared statements")
    settings.PREPARED_STATEMENTS = True
    with pgbouncer(settings.VAR_DIR, "max_prepared_statements = 200") as port:
        with own_database.pointed_at("127.0.0.1", str(port)):
            connection.ensure_connection()
            assert connection.connection.prepare_threshold == 5
            for number in range(50):
                start_action("test-echo", {"value": number})
            assert finished(start_action("test-ledger", {"name": "kept"})).state == "succeeded"


def _at_once(call: Callable[[int], None]) -> None:
    failed: list[BaseException] = []

    def guarded(numbers: range) -> None:
        try:
            for number in numbers:
                call(number)
        except BaseException as error:  # noqa: BLE001 - shown below
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(range(first, RUNS, 6),), daemon=True) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
