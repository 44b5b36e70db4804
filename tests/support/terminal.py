"""A person at a terminal with one checkout: runs verbs, reads what `make up` prints."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from dotdo_site import embedded_postgres
from dotdo_site.launch.checkout import ROOT

BOOTSTRAP = ROOT / "dotdo_site" / "bootstrap.py"
START_SECONDS = 300
PAUSED = """
document: {dsl: 1.0.3, namespace: tests, name: paused, version: 1.0.0}
do:
  - before: {call: datastore.set, with: {key: k, value: "${ .n }"}}
  - nap: {wait: PT8S}
  - after: {call: datastore.set, with: {key: k, value: 2}, output: {as: .value}}
"""


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Terminal:
    """A person with one checkout: runs verbs, reads what `make up` prints."""

    var: Path
    port: int
    development: str = "0"
    up: "subprocess.Popen[str] | None" = None
    lines: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Give a shell without settings of ours but the folder, the port and the mode."""
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("DOTDO_", "DATABASE_", "DJANGO_"))}
        return plain | {"DOTDO_VAR": str(self.var), "PORT": str(self.port), "DOTDO_DEVELOPMENT": self.development}

    def run(self, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a verb to its end."""
        command = [sys.executable, str(BOOTSTRAP), *arguments]
        environment = self.environment | more
        return subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def start(self) -> float:
        """Start `make up`, wait until it is ready, and return after how many seconds it was."""
        began = time.monotonic()
        command = [sys.executable, str(BOOTSTRAP), "up"]
        pipe = subprocess.PIPE
        self.up = subprocess.Popen(command, env=self.environment, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        self.read_until("ready after")
        return time.monotonic() - began

    def read_until(self, text: str) -> str:
        """Read what `make up` prints until a line contains `text`, and return that line."""
        assert self.up is not None
        assert self.up.stdout is not None
        signal.alarm(START_SECONDS)
        try:
            for line in self.up.stdout:
                self.lines.append(line)
                if text in line:
                    return line
        finally:
            signal.alarm(0)
        raise AssertionError("".join(self.lines))

    def finish(self) -> int:
        """Read the rest, and return the exit code."""
        assert self.up is not None
        rest, _ = self.up.communicate(timeout=90)
        self.lines += rest.splitlines(keepends=True)
        return self.up.returncode

    def get(self, path: str) -> int:
        """Fetch a page and return its status, or 0 if nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a Django command with the installation's settings."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def script(self, code: str) -> str:
        """Run Python with the installation's settings and return what it prints."""
        done = self.manage("shell", "-v0", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start_paused_run(self, pause: str = "PT8S") -> str:
        """Start a run that waits, 8 s unless told otherwise, between two steps, and return its id once it waits."""
        run_id = self.script(f"""
from workflows import operations
draft = operations.draft_workflow({PAUSED.replace("PT8S", pause)!r}, actor="system")
operations.publish_workflow(draft.id, actor="system")
print(operations.start_workflow("paused", {{"n": 1}}, actor="system", trigger="test").run_id)
""")
        self.await_state(run_id, "waiting")
        return run_id

    def await_state(self, run_id: str, state: str) -> None:
        """Wait until a run is in a state, at most 90 s."""
        self.await_rows(f"SELECT state FROM run WHERE id = '{run_id}'", state)

    def await_rows(self, query: str, *expected: str) -> None:
        """Wait until a query of one column gives just these rows, at most 90 s: asked directly, which costs little."""
        deadline = time.monotonic() + 90
        while (found := self.rows(query)) != list(expected):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)

    def rows(self, query: str) -> list[str]:
        """Return what a query of one column gives, nothing while the server is away."""
        try:
            with psycopg.connect(embedded_postgres.superuser_url(self.var), dbname="dotdo") as connection:
                return [value for (value,) in connection.execute(query.encode())]
        except psycopg.OperationalError:
            return []

    def await_page(self, path: str) -> None:
        """Wait until a page is served, at most 90 s."""
        deadline = time.monotonic() + 90
        while self.get(path) != 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def close(self) -> None:
        """Stop what still runs in it."""
        if self.up is not None and self.up.poll() is None:
            self.up.terminate()
            self.finish()


def processes_of(var: Path) -> list[tuple[int, str]]:
    """List the processes that were started for this installation: its folder is in their environment or arguments."""
    found = []
    marks = (f"DOTDO_VAR={var}\0".encode(), os.fsencode(embedded_postgres.locate(var).data) + b"\0")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue
        if any(mark in environment or mark in command for mark in marks):
            found.append((int(folder.name), command.replace(b"\0", b" ").decode(errors="replace")))
    return sorted(found)
