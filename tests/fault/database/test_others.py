"""What other sessions of the database do to ours: hold rows for ever, hold old snapshots."""

import psycopg
import pytest
from django.db import connection

from tests.fault.database.test_live_checks import role_with
from tests.support.cluster import until
from tests.support.engine import start_action, state, work_until_idle
from tests.support.own_database import OwnDatabase
from workflows.models import Run, Step


def test_a_session_that_freezes_while_it_holds_a_run_is_ended_and_the_run_goes_on(own_handlers: OwnDatabase) -> None:
    run_id = start_action("test-echo", {"value": 1})
    with role_with(own_handlers, "idle_in_transaction_session_timeout = '1s'"):
        frozen = psycopg.connect(own_handlers.url)
        frozen.execute("SELECT FROM run WHERE id = %s FOR UPDATE", (run_id,))
        frozen.execute("SELECT FROM step WHERE run_id = %s FOR UPDATE", (run_id,))

        def gone_on() -> bool:
            work_until_idle(patience=0.0)
            return state(run_id) == "succeeded"

        until(gone_on)
        with pytest.raises(psycopg.Error):
            frozen.execute("SELECT 1")
    assert Step.objects.get(run=run_id).crashes == 0


def test_an_old_snapshot_makes_nothing_fail(own_handlers: OwnDatabase) -> None:
    with psycopg.connect(own_handlers.url) as old:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert old.execute("SELECT count(*) FROM run").fetchone() == (0,)
        runs = [start_action("test-ledger", {"name": str(number)}) for number in range(150)]
        work_until_idle(60)
        assert old.execute("SELECT count(*) FROM run").fetchone() == (0,)
    assert Run.objects.filter(state="succeeded").count() == len(runs)
    connection.close()
