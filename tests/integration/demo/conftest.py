"""The demo as `make up` runs it: stand-ins, cluster, web server as processes of their own, on the tests' database."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dotdo_site import embedded_postgres
from dotdo_site.demo.story.api import World
from dotdo_site.launch import processes
from tests.support.cluster import ROOT, cluster, stop, until

VAR = Path(os.environ["DOTDO_VAR"])


@dataclass
class Site:
    """A running demo."""

    environment: dict[str, str]
    folder: Path
    world: World

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self._command(*arguments), env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False
        )

    @contextmanager
    def beside(self, argv: tuple[str, ...]) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a process until the block ends."""
        with (self.folder / "log").open("ab") as out:
            process = subprocess.Popen(argv, env=self.environment, cwd=ROOT, stdout=out, stderr=out)
            try:
                yield process
            finally:
                stop(process)

    @contextmanager
    def standins(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the stand-ins until the block ends."""
        with self.beside(self._command("demo_standins", "--folder", str(self.folder / "demo"))) as process:
            ports = [int(self.environment[f"DOTDO_DEMO_{kind}_PORT"]) for kind in ("HTTP", "SMTP")]
            until(lambda: all(map(processes.accepts, ports)), what="the stand-ins' start")
            yield process

    @contextmanager
    def web(self) -> Iterator[str]:
        """Run the web server until the block ends; give its address."""
        port = free_port()
        with self.beside(processes.gunicorn(port, {"DOTDO_WEB_WORKERS": "1"})):
            until(lambda: processes.answers_http(port), what="the web server's start")
            yield f"http://127.0.0.1:{port}"

    @contextmanager
    def workers(self) -> Iterator[None]:
        """Run the cluster until the block ends."""
        with cluster(self.folder / "cluster-log", **self.environment):
            yield

    def _command(self, *arguments: str) -> tuple[str, ...]:
        return processes.manage(*arguments)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def demo_tables(postgres: str) -> None:
    """Add the demo's table to the tests' database."""
    owner = {"DATABASE_URL": embedded_postgres.owner_url(VAR), "DOTDO_APPLICATION_ROLE": "dotdo"}
    environment = os.environ | owner | {"DOTDO_DEVELOPMENT": "1"}
    subprocess.run([*processes.manage("migrate", "demo", "-v0")], env=environment, cwd=ROOT, check=True)


@pytest.fixture
def site(demo_tables: None, database: None, tmp_path: Path) -> Iterator[Site]:
    """Prepare the demo: stand-ins that run, actions in Python published; no cluster and no web server yet."""
    http, smtp = free_port(), free_port()
    environment = os.environ | {
        "DOTDO_DEVELOPMENT": "1",
        "DOTDO_DEMO_HTTP_PORT": str(http),
        "DOTDO_DEMO_SMTP_PORT": str(smtp),
        "DOTDO_SMTP_HOST": "127.0.0.1",
        "DOTDO_SMTP_PORT": str(smtp),
        "DOTDO_OUTGOING_ALLOW": f"127.0.0.1:{http},127.0.0.1:{smtp}",
        "DJANGO_SETTINGS_MODULE": "dotdo_site.settings",
    }
    with ExitStack() as stack:
        found = Site(environment, tmp_path, stack.enter_context(closing(World(http))))
        stack.enter_context(found.standins())
        assert found.manage("sync_actions").returncode == 0
        yield found
