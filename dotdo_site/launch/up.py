"""`make up`: the database, the web server, the cluster and the demo's stand-ins as one supervised group."""

import json
import os
import socket
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from dotdo_site import embedded_postgres, keys
from dotdo_site.launch import instance, prepare, processes
from dotdo_site.launch.checkout import ROOT, LaunchError, var_dir
from dotdo_site.launch.supervisor import Supervisor
from dotdo_site.postgres_programs import EmbeddedPostgresError

DEFAULT_PORT = 8000
SLOW_START_SECONDS = 60.0
DATABASE_RETRY_SECONDS = 5.0


@dataclass
class Up:
    """One installation while it runs."""

    port: int
    var: Path = field(default_factory=var_dir)
    server: embedded_postgres.Server | None = None
    first_start: bool = False
    link: "subprocess.Popen[str] | None" = None
    database_retry_at: float = 0.0
    working: bool = False

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.port}"
        self.shared = {"DOTDO_PUBLIC_URL": os.environ.get("DOTDO_PUBLIC_URL") or self.url}
        self.shared |= shared_environment(self.var)
        self.supervisor = Supervisor(processes.base_environment() | self.shared, ROOT, spare=self._other_pids)
        self.say = self.supervisor.output.say

    def run(self) -> int:
        """Start everything, keep it running until somebody stops it, and end it; return the exit code."""
        with ExitStack() as stack:
            lock = instance.claim(self.var, instance.Instance(os.getpid(), self.url, self.shared))
            stack.callback(os.close, lock)
            self.supervisor.catch_signals()
            stack.callback(self._stop)
            return self._start_and_watch()

    def _start_and_watch(self) -> int:
        began = time.monotonic()
        keys.ensure(self.var / "keys" / "keys.json")
        self._start_database()
        if not self._prepare():
            return 0 if self.supervisor.stop_requests else 1
        self.working = True
        self.supervisor.start(processes.table(self.port, self.supervisor.environment))
        self.link = self._ask_for_link()
        self._await_ready(began)
        if not self.supervisor.stop_requests:
            self._announce(began)
            self._first_runs()
        while not self.supervisor.stop_requests:
            self.supervisor.tick()
            self._watch_database()
        return 0

    def _start_database(self) -> None:
        if os.environ.get("DATABASE_URL"):
            return
        self.first_start = not embedded_postgres.locate(self.var).data.exists()
        if self.first_start:
            self.say(f"creating the embedded PostgreSQL in {embedded_postgres.locate(self.var).home} ...")
        self.server = embedded_postgres.start(self.var, follow_parent=True)

    def _prepare(self) -> bool:
        """Migrate and register actions where needed; return whether that worked."""
        environment = self.supervisor.environment
        if prepare.is_prepared(environment):
            return True
        self.say("bringing the database up to this version ...")
        owner = prepare.owner_environment(environment)
        verbosity = "0" if self.first_start else "1"  # an upgrade is worth reading
        steps: tuple[tuple[str, tuple[str, ...], dict[str, str]], ...] = (
            ("migrate", processes.manage("migrate", "--no-input", "--verbosity", verbosity), owner),
            ("actions", processes.manage("sync_actions"), {}),
        )
        for name, argv, more in steps:
            if self.supervisor.stop_requests:
                return False
            if self.supervisor.run_once(name, argv, more) != 0:
                self.say(f"{name} failed: its lines above say why. dotdo was not started.")
                return False
        prepare.note_prepared(environment)
        return True

    def _ask_for_link(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            processes.manage("login", "--skip-checks", "--url", self.url),
            cwd=ROOT,
            env=dict(self.supervisor.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _await_ready(self, began: float) -> None:
        noted = False
        while not self.supervisor.stop_requests and not self.supervisor.ready():
            self.supervisor.tick()
            if not noted and time.monotonic() - began > SLOW_START_SECONDS:
                self.say("not everything is ready yet: the lines above say why; still trying")
                noted = True

    def _announce(self, began: float) -> None:
        if self.link is None:
            return
        said, _ = self.link.communicate()
        self.say(f"ready after {time.monotonic() - began:.1f} s: {self.url}")
        self.say("sign in with this link, once, within 15 minutes, on this machine (`make login` prints another):")
        self.say(said.strip() if self.link.returncode == 0 else f"no link could be made:\n{said.strip()}")
        self.say("stop with Ctrl-C or `make down`")

    def _first_runs(self) -> None:
        if "DOTDO_DEMO_HTTP_PORT" in self.shared:
            self.supervisor.run_beside("runs", processes.manage("demo_first_runs"))

    def _watch_database(self) -> None:
        now = time.monotonic()
        if self.server is None or self.server.is_alive() or now < self.database_retry_at:
            return
        self.say("PostgreSQL has ended; starting it again")
        self.database_retry_at = now + DATABASE_RETRY_SECONDS
        try:
            self.server = embedded_postgres.start(self.var, follow_parent=True)
        except EmbeddedPostgresError as error:
            self.say(str(error))

    def _stop(self) -> None:
        if self.working:
            self.say("stopping: work in flight may finish (up to 30 s; Ctrl-C again to hurry) ...")
        if self.link is not None and self.link.poll() is None:
            self.link.kill()
            self.link.wait()
        self.supervisor.stop()
        if self.server is not None:
            self.server.stop()
        if self.working:
            self.say("stopped; `make up` goes on with what was waiting")
        elif self.supervisor.stop_requests:
            self.say("stopped before it was ready")

    def _other_pids(self) -> set[int]:
        """List children that are not killed: the database, also one that was given up while it recovered."""
        link = set() if self.link is None else {self.link.pid}
        return link | postmaster(self.var)


def postmaster(var: Path) -> set[int]:
    """Return the pid that PostgreSQL itself has noted, if it has."""
    try:
        return {int((embedded_postgres.locate(var).data / "postmaster.pid").read_text().partition("\n")[0])}
    except (OSError, ValueError):
        return set()


def shared_environment(var: Path) -> dict[str, str]:
    """Give what `make up` adds to the environment of its processes, and of `make demo` and `make login` beside it."""
    development = os.environ.get("DOTDO_DEVELOPMENT") or "1"
    shared = {"DOTDO_VAR": str(var), "DOTDO_DEVELOPMENT": development}
    if development.lower() not in {"1", "true", "yes", "on"}:
        return shared
    http, smtp = _demo_ports(var)
    sink = {} if os.environ.get("DOTDO_SMTP_HOST") else {"DOTDO_SMTP_HOST": "127.0.0.1", "DOTDO_SMTP_PORT": str(smtp)}
    allowed = [os.environ.get("DOTDO_OUTGOING_ALLOW", ""), f"127.0.0.1:{http}", f"127.0.0.1:{smtp}"]
    return shared | {
        "DOTDO_DEMO_HTTP_PORT": str(http),
        "DOTDO_DEMO_SMTP_PORT": str(smtp),
        "DOTDO_OUTGOING_ALLOW": ",".join(filter(None, allowed)),
        **sink,
    }


def _demo_ports(var: Path) -> list[int]:
    """Choose two free ports, those of last time where possible: runs that wait have seen them."""
    note = var / "demo-ports.json"
    try:
        wanted = [int(port) for port in json.loads(note.read_text())]
    except (FileNotFoundError, ValueError):
        wanted = [0, 0]
    probes = [_bind(port) for port in wanted]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    var.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(ports))
    return ports


def _bind(port: int) -> socket.socket:
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        probe.bind(("127.0.0.1", 0))
    return probe


def parse_port(text: str) -> int:
    """Read a port number. Raises LaunchError."""
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) < 65_536:
        raise LaunchError(f"PORT={text} is not a port: use a number from 1 to 65535, for example  make up PORT=8001")
    return int(text)
