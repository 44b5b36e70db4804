"""Whose lease ran out: a host that was lost, or one that lives and could not say so while the database was away."""

import os
import time
import uuid
from typing import Any

import psycopg
import pytest
from django.db import Error, connection

from dotdo_site.lib import process_state
from tests.integration.core.test_watch import LONG_AGO
from tests.support.engine import start_action
from workflows import claim, watch
from workflows.models import Attempt, Step, Worker
from workflows.watch import Watch

pytestmark = pytest.mark.usefixtures("handlers")


def expired(**fields: Any) -> uuid.UUID:
    """Start a run whose step a worker of another host holds, its lease over."""
    start_action("test-echo", {"value": 1})
    row = Worker.objects.create(host="there", pid=1, place="another boot", code_version="x", started_at=LONG_AGO,
                                heartbeat_at="2999-01-01T00:00:00Z", **fields)  # fmt: skip
    assert claim.take("default", 2, row.id, 300.0)
    Step.objects.update(lease_expires_at=LONG_AGO)
    return row.id


def watching(monkeypatch: pytest.MonkeyPatch, renewed_within: float) -> Watch:
    monkeypatch.setattr(watch, "REAP_SECONDS", 0.0)
    monkeypatch.setattr(watch, "RENEWED_SECONDS", renewed_within)
    return Watch()


def slowly(*_: int) -> bool:
    """Answer as late as a database behind a pooler that holds questions back."""
    time.sleep(0.5)
    return True


def test_a_lease_that_ran_out_is_freed_when_the_database_was_there_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expired()
    looking = watching(monkeypatch, renewed_within=0.3)
    time.sleep(0.4)
    looking.bury()
    assert Step.objects.values_list("state", "crashes").get() == ("ready", 1)


def test_after_an_outage_those_who_live_renew_their_leases_before_any_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = expired()
    looking = watching(monkeypatch, renewed_within=0.3)
    time.sleep(0.4)
    looking.excuse()
    looking.bury()
    assert Step.objects.get().leased_by == worker
    Step.objects.update(lease_expires_at="2999-01-01T00:00:00Z")
    time.sleep(0.4)
    looking.bury()
    assert Step.objects.values_list("state", "crashes").get() == ("running", 0)
    assert not Attempt.objects.exists()


def test_a_database_that_kept_the_watch_waiting_was_away(monkeypatch: pytest.MonkeyPatch, superuser: Any) -> None:
    worker = expired()
    looking = watching(monkeypatch, renewed_within=0.3)
    monkeypatch.setattr(watch, "ASLEEP_SECONDS", 0.2)
    monkeypatch.setattr(process_state, "alive", slowly)
    Worker.objects.create(host="here", pid=os.getpid(), place=process_state.place(), code_version="x",
                          started_at=LONG_AGO, heartbeat_at=LONG_AGO)  # fmt: skip
    time.sleep(0.4)
    looking.bury()
    assert Step.objects.get().leased_by == worker


def test_a_database_that_takes_no_writes_is_noticed_though_nothing_is_to_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looking = watching(monkeypatch, renewed_within=0.0)
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        with pytest.raises((Error, psycopg.Error)):
            looking.bury()
    finally:
        connection.close()


def test_what_a_worker_held_that_has_signed_off_is_free_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    expired(stopped_at=LONG_AGO)
    watching(monkeypatch, renewed_within=60.0).bury()
    assert Step.objects.get().state == "ready", "nobody is left who could renew it: a backup was restored"


def test_nobody_is_signed_off_for_a_silence_that_the_database_is_to_blame_for(monkeypatch: pytest.MonkeyPatch) -> None:
    expired()
    Worker.objects.update(heartbeat_at=LONG_AGO)
    watching(monkeypatch, renewed_within=60.0).bury()
    assert Worker.objects.get().stopped_at is None
