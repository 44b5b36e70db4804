"""`make up` for real: the launcher as a newcomer runs it, on a folder and port of its own."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dotdo_site import embedded_postgres
from dotdo_site.launch import instance, machine
from dotdo_site.launch.checkout import ROOT

BOOTSTRAP = ROOT / "dotdo_site" / "bootstrap.py"
START_SECONDS = 120
PAUSED = """
document: {dsl: 1.0.3, namespace: tests, name: paused, version: 1.0.0}
do:
  - before: {call: datastore.set, with: {key: k, value: "${ .n }"}}
  - nap: {wait: PT8S}
  - after: {call: datastore.set, with: {key: k, value: 2}, output: {as: .value}}
"""
LINK = re.compile(r"http://127\.0\.0\.1:\d+(/\S+)")


@dataclass
class Terminal:
    """A person with one checkout: runs verbs, reads what `make up` prints."""

    var: Path
    port: int
    up: "subprocess.Popen[str] | None" = None
    lines: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Give a shell without settings of ours, outside development mode."""
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("DOTDO_", "DATABASE_", "DJANGO_"))}
        return plain | {"DOTDO_VAR": str(self.var), "PORT": str(self.port), "DOTDO_DEVELOPMENT": "0"}

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

    def script(self, code: str) -> str:
        """Run Python with the installation's settings and return what it prints."""
        command = [sys.executable, str(ROOT / "manage.py"), "shell", "-v0", "-c", code]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def await_state(self, run_id: str, state: str) -> None:
        """Wait until a run is in a state, at most 30 s."""
        code = f"from workflows.models import Run; print(Run.objects.get(pk={run_id!r}).state)"
        deadline = time.monotonic() + 30
        while self.script(code) != state:
            assert time.monotonic() < deadline

    def await_page(self, path: str) -> None:
        """Wait until a page is served, at most 30 s."""
        deadline = time.monotonic() + 30
        while self.get(path) != 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give one installation to the tests of this file: the first of them creates it."""
    folder = tmp_path_factory.mktemp("up") / "var"
    yield folder
    instance.stop(folder)
    embedded_postgres.remove(folder)


@pytest.fixture
def terminal(var: Path) -> Iterator[Terminal]:
    """Give a terminal, and stop what was left running in it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    terminal = Terminal(var, port)
    yield terminal
    if terminal.up is not None and terminal.up.poll() is None:
        terminal.up.terminate()
        terminal.finish()


def test_a_port_in_use_is_named_before_anything_is_made(terminal: Terminal, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", terminal.port)):
        done = terminal.run("up", DOTDO_VAR=str(tmp_path / "untouched"))
    assert done.returncode == 1
    assert re.search(rf"Port {terminal.port} is in use.*make up PORT=\d+", done.stdout)
    assert not (tmp_path / "untouched").exists()


def test_a_fresh_start_serves_pages_and_down_leaves_nothing_running(terminal: Terminal) -> None:
    terminal.start()
    link = terminal.read_until("http://127.0.0.1")
    path = LINK.search(link)
    assert path is not None
    assert terminal.get("/healthz") == 200
    assert terminal.get("/readyz") == 200
    assert terminal.get(path[1]) in {200, 302}

    second = terminal.run("up")
    assert (second.returncode, f"http://127.0.0.1:{terminal.port}" in second.stdout) == (1, True)
    assert LINK.search(terminal.run("login").stdout)

    down = terminal.run("down")
    assert (down.returncode, down.stdout) == (0, "stopped\n")
    assert terminal.finish() == 0
    assert machine.port_is_free(terminal.port)
    assert not embedded_postgres.is_running(terminal.var)
    assert _processes_of(terminal.var) == []


def test_the_second_start_takes_less_than_five_seconds(terminal: Terminal) -> None:
    seconds = []
    for _ in range(2):  # the machine may have been busy once
        seconds.append(terminal.start())
        terminal.run("down")
        terminal.finish()
    assert min(seconds) < 5
    assert not any("migrate" in line for line in terminal.lines)


def test_a_web_server_that_dies_comes_back_and_it_is_said(terminal: Terminal) -> None:
    terminal.start()
    web = next(pid for pid, command in _processes_of(terminal.var) if "gunicorn" in command)
    os.kill(web, signal.SIGKILL)
    assert "starting it again" in terminal.read_until("web was killed by SIGKILL")
    terminal.await_page("/healthz")


def test_a_database_that_dies_comes_back_and_it_is_said(terminal: Terminal) -> None:
    terminal.start()
    location = embedded_postgres.locate(terminal.var)
    os.kill(int((location.data / "postmaster.pid").read_text().split("\n")[0]), signal.SIGKILL)
    terminal.read_until("PostgreSQL has ended; starting it again")
    terminal.await_page("/readyz")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_way_to_stop_drains_and_ends_in_peace(terminal: Terminal, number: signal.Signals) -> None:
    terminal.start()
    assert terminal.up is not None
    terminal.up.send_signal(number)
    assert terminal.finish() == 0
    assert any("draining" in line for line in terminal.lines)
    assert _processes_of(terminal.var) == []


def test_a_killed_supervisor_takes_everything_with_it_and_the_next_start_works(terminal: Terminal) -> None:
    terminal.start()
    assert terminal.up is not None
    terminal.up.kill()
    terminal.finish()
    deadline = time.monotonic() + 60
    while _processes_of(terminal.var):
        assert time.monotonic() < deadline, _processes_of(terminal.var)
        time.sleep(0.1)
    terminal.start()
    assert terminal.get("/healthz") == 200


def test_a_backup_of_a_running_installation_can_be_restored(terminal: Terminal) -> None:
    terminal.start()
    backup = terminal.run("backup")
    assert backup.returncode == 0, backup.stdout
    path = backup.stdout.split(" (")[0]
    refused = terminal.run("restore", "--file", path)
    assert (refused.returncode, "dotdo is running here" in refused.stdout) == (1, True)
    assert terminal.get("/healthz") == 200

    restored = terminal.run("restore", "--file", path, "--yes")
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert "Restored the backup" in restored.stdout
    assert terminal.finish() == 0
    terminal.start()
    assert terminal.get("/readyz") == 200


def test_an_installation_stopped_in_the_middle_of_a_wait_goes_on_exactly_there(terminal: Terminal) -> None:
    terminal.start()
    run_id = terminal.script(f"""
from workflows import operations
draft = operations.draft_workflow({PAUSED!r}, actor="system")
operations.publish_workflow(draft.id, actor="system")
print(operations.start_workflow("paused", {{"n": 1}}, actor="system", trigger="test").run_id)
""")
    terminal.await_state(run_id, "waiting")
    terminal.run("down")
    terminal.finish()
    time.sleep(4)  # the timer falls due while nothing runs
    terminal.start()
    terminal.await_state(run_id, "succeeded")
    assert (
        terminal.script(f"""
from workflows import queries
import uuid
run = queries.run(uuid.UUID({run_id!r}))
print(run.output, [(step.name, step.attempt) for step in run.steps])
""")
        == "2 [('before', 1), ('nap', 1), ('after', 1)]"
    )


def test_commands_for_a_running_installation_say_when_there_is_none(terminal: Terminal) -> None:
    for verb in ("login", "demo"):
        done = terminal.run(verb)
        assert (done.returncode, "make up" in done.stdout) == (1, True)
    assert terminal.run("down").stdout == "dotdo is not running here\n"


def test_reset_asks_and_then_deletes_everything_of_ours_but_backups(terminal: Terminal) -> None:
    (terminal.var / "somebody-elses").write_text("kept")
    asked = terminal.run("reset")
    assert (asked.returncode, "YES=1" in asked.stdout) == (1, True)
    assert (terminal.var / "keys" / "keys.json").exists()

    assert terminal.run("reset", "--yes").returncode == 0
    assert sorted(path.name for path in terminal.var.iterdir()) == ["backups", "somebody-elses"]
    assert not embedded_postgres.locate(terminal.var).data.exists()


def _processes_of(var: Path) -> list[tuple[int, str]]:
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
