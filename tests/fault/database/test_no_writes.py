"""A database that answers and takes no writes: a full disk, a standby, no connection left."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import close_old_connections, connection
from django.test import Client

from audit.verify import verify
from dotdo_site import embedded_postgres
from dotdo_site.lib import refusals
from tests.fault.database.test_restart import api_key
from tests.support import own_database
from tests.support.cluster import cluster, until
from tests.support.documents import publish
from tests.support.engine import start_workflow, state
from tests.support.own_database import OwnDatabase
from workflows.models import Attempt, Entry, Run, Step

FULL = """
CREATE FUNCTION pg_temp_full() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$
"""
BODY = """
do:
  - one: {call: test-ledger, with: {name: "${ $workflow.input.name }"}}
  - two: {call: test-echo, with: {value: "${ $workflow.input.more }"}}
"""


@pytest.fixture(autouse=True)
def nothing_was_refused() -> Iterator[None]:
    """Forget what other tests provoked."""
    refusals.forget()
    yield
    refusals.forget()


@contextmanager
def full(own: OwnDatabase, *tables: str) -> Iterator[None]:
    """Refuse to add rows to some tables, as a full disk does."""
    own.sql(FULL)
    for table in tables:
        own.sql(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION pg_temp_full()")
    try:
        yield
    finally:
        own.sql("DROP FUNCTION pg_temp_full() CASCADE")


class Api:
    """Calls the API in this process, as one web server would."""

    def __init__(self) -> None:
        self.client = Client(headers={"authorization": f"Bearer {api_key()}"}, raise_request_exception=False)

    def start(self, name: str, key: str, more: str = "") -> Any:
        """Start a run with a key."""
        close_old_connections()
        body = {"input": {"name": key, "more": more}}
        path = f"/api/v1/workflows/{name}/runs"
        return self.client.post(path, body, content_type="application/json", headers={"Idempotency-Key": key})

    def ready(self) -> Any:
        """Ask whether it can work."""
        close_old_connections()
        return self.client.get("/readyz")


def _is_503(answer: Any) -> None:
    assert answer.status_code == 503, answer.content
    assert answer["Retry-After"] == "5"


def test_a_full_disk_is_a_503_and_readiness_says_so_until_it_has_room(own_handlers: OwnDatabase) -> None:
    name, api = publish("full", BODY), Api()
    assert api.ready().status_code == 200
    with full(own_handlers, "run"):
        _is_503(api.start(name, "a"))
        assert api.ready().json() == {"status": "database is full"}
        assert not Run.objects.exists()
    assert api.start(name, "a").status_code == 201
    refusals.forget()  # a quarter of a minute later
    assert api.ready().status_code == 200
    assert Run.objects.count() == 1


def test_a_step_whose_checkpoint_does_not_fit_on_the_disk_is_done_once_when_it_does(
    own_handlers: OwnDatabase, tmp_path: Path
) -> None:
    name = publish("full", BODY)
    run_id = start_workflow(name, {"name": "n", "more": ""})
    with full(own_handlers, "audit_event"):
        connection.close()
        with cluster(tmp_path / "log", DATABASE_URL=own_handlers.url):
            until(lambda: (tmp_path / "log").read_text().count("No space left") > 8)
            assert Entry.objects.filter(namespace="ledger").count() == 0
            own_handlers.sql("DROP TRIGGER full_disk ON audit_event")
            until(lambda: state(run_id) == "succeeded")
    assert Entry.objects.filter(namespace="ledger").count() == 1
    assert not Attempt.objects.exists()
    assert not Step.objects.filter(crashes__gt=0).exists()


def test_a_read_only_database_is_a_503_and_not_ready(own_handlers: OwnDatabase) -> None:
    name, api = publish("standby", BODY), Api()
    own_handlers.sql("ALTER ROLE dotdo SET default_transaction_read_only = 'on'")
    try:
        connection.close()
        _is_503(api.start(name, "a"))
        _is_503(api.ready())
        assert api.ready().json() == {"status": "database is read-only"}
    finally:
        own_handlers.sql("ALTER ROLE dotdo RESET default_transaction_read_only")
        connection.close()
    assert api.start(name, "a").status_code == 201


def test_pages_are_a_503_too_and_say_when_to_come_back(own_handlers: OwnDatabase) -> None:
    Api()
    own_handlers.sql("ALTER ROLE dotdo CONNECTION LIMIT 0")
    try:
        connection.close()
        client = Client(raise_request_exception=False)
        client.cookies["sessionid"] = "x" * 32
        for path in ("/", "/runs/", "/admin/", "/hooks/none"):
            answer = client.get(path)
            assert answer.status_code in {503, 302, 404}, path
            if answer.status_code == 503:
                assert answer["Retry-After"] == "5"
        _is_503(client.get("/"))
        _is_503(client.get("/readyz"))
    finally:
        own_handlers.sql("ALTER ROLE dotdo CONNECTION LIMIT -1")


@pytest.fixture
def small_disk(tmp_path: Path, django_db_blocker: Any) -> Iterator[OwnDatabase]:
    """Give a server whose files lie on a disk of 200 MB."""
    var = tmp_path / "var"
    home = embedded_postgres.locate(var).home
    home.mkdir(parents=True, mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=200m,mode=0700", "tmpfs", str(home)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        home.rmdir()
        pytest.skip("mounting a small disk needs root: sudo make test-database ARGS='-k no_writes'")
    try:
        made = own_database.make(var)
        with django_db_blocker.unblock(), own_database.pointed_at(str(made.server.location.sockets)):
            own_database.empty(made)
            yield made
        embedded_postgres.stop(var)
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)
        embedded_postgres.remove(var)


def test_a_disk_that_is_really_full_loses_nothing_and_work_goes_on_when_it_has_room(
    small_disk: OwnDatabase, tmp_path: Path
) -> None:
    from actions import registry, sync

    registry.discover()
    sync.sync(registry.specs(), actor="system")
    name, api, more = publish("full", BODY), Api(), "x" * 200_000
    ballast = small_disk.server.location.home / "ballast"
    keys, refused = [f"k{number}" for number in range(40)], 0
    connection.close()
    with cluster(tmp_path / "log", DATABASE_URL=small_disk.url):
        assert api.start(name, "first", more).status_code == 201
        _fill(ballast)
        for key in keys:
            answer = api.start(name, key, more + key)
            assert answer.status_code in {201, 503}, answer.content
            refused += answer.status_code == 503
        assert refused
        assert api.ready().status_code == 503
        ballast.unlink()
        if not small_disk.server.is_alive():  # no room for its log ends the server; `make up` starts it again
            small_disk.start()
        for key in keys:
            until(lambda key=key: api.start(name, key, more + key).status_code in {200, 201}, 60)  # type: ignore[misc]
        until(lambda: Run.objects.filter(state="succeeded").count() == len(keys) + 1, 90)
    assert Run.objects.count() == len(keys) + 1
    assert Entry.objects.filter(namespace="ledger").count() == len(keys) + 1
    assert verify().broken == []


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            return
