"""A PostgreSQL server of a test's own, which it may stop, fill and set wrong; Django can be pointed at it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection, connections

from dotdo_site import embedded_postgres
from tests.conftest import ROOT
from tests.support.emptying import EMPTY
from workflows import programs


@dataclass
class OwnDatabase:
    """A server and its migrated database, named by a `var` folder."""

    var: Path
    server: embedded_postgres.Server

    @property
    def url(self) -> str:
        """The database as the application sees it."""
        return embedded_postgres.application_url(self.var)

    @property
    def owner_environment(self) -> dict[str, str]:
        """The environment of a migration."""
        url = embedded_postgres.owner_url(self.var)
        return os.environ | {"DATABASE_URL": url, "DOTDO_APPLICATION_ROLE": "dotdo"}

    def sql(self, statement: str, *, database: str = "dotdo") -> list[tuple[Any, ...]]:
        """Run a statement as the superuser."""
        url = embedded_postgres.superuser_url(self.var)
        with psycopg.connect(url, dbname=database, autocommit=True) as superuser:
            cursor = superuser.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server: fast, or at once as in a crash."""
        process = self.server.process
        if immediate and process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        self.server.stop()

    def start(self) -> float:
        """Start the server again; return the monotonic time when it answered."""
        self.server = embedded_postgres.start(self.var)
        return time.monotonic()


def make(var: Path) -> OwnDatabase:
    """Start a server and migrate its database."""
    made = OwnDatabase(var, embedded_postgres.start(var))
    migrate = [sys.executable, str(ROOT / "manage.py"), "migrate", "-v0", "--skip-checks"]
    subprocess.run(migrate, env=made.owner_environment, check=True, cwd=ROOT)
    return made


@contextmanager
def pointed_at(host: str, port: str = "") -> Iterator[None]:
    """Let Django's connections lead to another server: a folder of sockets, or an address and its port."""
    here = dict(connection.settings_dict)
    connections.close_all()
    options = {name: value for name, value in here["OPTIONS"].items() if not port or name != "requirepeer"}
    connection.settings_dict.update(HOST=host, PORT=port or here["PORT"], OPTIONS=options)
    try:
        yield
    finally:
        connections.close_all()
        connection.settings_dict.update(here)


def empty(database: OwnDatabase) -> None:
    """Delete all rows, and what this process remembers of them."""
    with psycopg.connect(embedded_postgres.superuser_url(database.var), dbname="dotdo", autocommit=True) as superuser:
        superuser.execute(EMPTY)
    for cache in (programs.action_by_id, programs.action_called, programs.workflow_program, programs.action_program):
        cache.cache_clear()
