"""A database of its own on an embedded server, and any checkout of dotdo that works on it."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from dotdo_site import keys

ROOT = Path(__file__).resolve().parents[2]
WORLD = Path(__file__).resolve().parent
TABLES = """
CREATE TABLE world_mark (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, of text NOT NULL, name text NOT NULL);
GRANT SELECT, INSERT ON world_mark TO dotdo;
"""
DRAIN_SECONDS = 60
REPAIRED = {"WORLD_REPAIRED": "1", "DOTDO_ACTION_MODULES": "world.actions,world.gone"}


@dataclass
class Installation:
    """One database and its keys. `checkout` may change: that is an upgrade."""

    server: str  # URL of the server's maintenance database, as superuser
    folder: Path
    checkout: Path = ROOT
    name: str = field(default_factory=lambda: f"upgrade_{secrets.token_hex(4)}")
    scale: float = 1.0  # how many runs of each story
    sink: Path | None = None  # what the outside heard; beside the keys unless another installation shares it

    def create(self) -> None:
        """Make the empty database, and keys."""
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER dotdo_owner").format(sql.Identifier(self.name)))
        keys.ensure(self.folder / "keys" / "keys.json")

    def drop(self) -> None:
        """Delete the database."""
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.name))
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(drop)

    def url(self, role: str = "dotdo") -> str:
        """Name the database as a role."""
        parts = urlsplit(self.server)
        _, at, host = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{role}{at}{host}", path=f"/{self.name}"))

    def environment(self, **more: str) -> dict[str, str]:
        """Give what every process of the installation is started with."""
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("DOTDO_", "DATABASE_", "DJANGO_", "WORLD_"))}
        return plain | {
            "DOTDO_VAR": str(self.folder),
            "DATABASE_URL": self.url(),
            "DOTDO_ACTION_MODULES": "world.actions",
            "DOTDO_LEASE_SECONDS": "5",
            "DOTDO_DEVELOPMENT": "0",
            "DJANGO_SETTINGS_MODULE": "dotdo_site.settings",
            "PYTHONPATH": str(WORLD),
            "WORLD_SCALE": str(self.scale),
            "WORLD_FOLDER": str(self.folder),
            "WORLD_SINK": str(self.sink or self.folder / "sink"),
            **more,
        }

    def manage(self, *arguments: str, **more: str) -> str:
        """Run a Django command of the checkout."""
        return self._run([sys.executable, "manage.py", *arguments], self.environment(**more))

    def world(self, module: str, *arguments: str, **more: str) -> str:
        """Run a script of the world against the checkout."""
        return self._run([sys.executable, "-m", f"world.{module}", *arguments], self.environment(**more))

    def finish(self) -> dict[str, Any]:
        """Give all runs what they wait for, while a cluster runs, and return the report."""
        command = [sys.executable, "-m", "world.finish"]
        report: dict[str, Any] = json.loads(self._run(command, self.environment(**REPAIRED), check=False))
        return report

    def migrate(self) -> str:
        """Bring the database up to the checkout, as its owner; then publish what its actions are."""
        said = self.manage(
            "migrate", "--no-input", DATABASE_URL=self.url("dotdo_owner"), DOTDO_APPLICATION_ROLE="dotdo"
        )
        self.manage("sync_actions", DOTDO_ACTION_MODULES="world.actions,world.gone")
        return said

    def execute(self, text: str) -> None:
        """Run SQL as the owner."""
        with psycopg.connect(self.url("dotdo_owner"), autocommit=True) as connection:
            connection.execute(text)

    @contextmanager
    def cluster(self, **more: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the checkout's cluster until the block ends."""
        with (self.folder / "cluster.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "cluster"],
                cwd=self.checkout,
                env=self.environment(**{"DOTDO_WORKERS": "4", "DOTDO_LOG_LEVEL": "WARNING"} | more),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            _end(process)

    def _run(self, command: list[str], environment: dict[str, str], *, check: bool = True) -> str:
        done = subprocess.run(command, cwd=self.checkout, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0 and (check or not done.stdout):
            raise AssertionError(f"{' '.join(command[1:])}:\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
        return done.stdout


def lose(process: "subprocess.Popen[bytes]") -> None:
    """Kill a whole cluster as the loss of its host would, and see its last process gone."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(100):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        time.sleep(0.05)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            lose(process)


def make_world(installation: Installation) -> None:
    """Fill an installation with runs in every kind of wait, and leave it as the loss of its host would."""
    begin_world(installation)
    with installation.cluster() as process:
        settle_world(installation)
        lose(process)
    installation.world("make", "start", "stopped")
    installation.world("make", "manifest")


def begin_world(installation: Installation) -> None:
    """Publish everything, and start what will rest."""
    installation.execute(TABLES)
    installation.world("make", "prepare")
    installation.world("make", "start", "working")


def settle_world(installation: Installation) -> None:
    """See every run come to rest, while a cluster runs, and start those that are at work when it ends."""
    installation.world("make", "rested", "working")
    installation.world("make", "before")
    time.sleep(2)  # what that sets off
    installation.world("make", "start", "hanging")
    installation.world("make", "rested", "hanging")
