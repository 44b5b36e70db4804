"""The installation that is attacked: its own PostgreSQL behind the proxy, web, two clusters, the sinks."""

import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from dotdo_site import embedded_postgres
from dotdo_site.launch import processes as launch
from dotdo_site.launch.checkout import ROOT
from dotdo_site.postgres_settings import APPLICATION, DATABASE, PORT
from tests.chaos import actions, sinks, skew
from tests.chaos.options import Options
from tests.chaos.processes import WORKERS, Managed
from tests.integration.actions.post import Post
from tests.support.cutting_proxy import CuttingProxy

CLOCKS = {"cluster-1": -1, "cluster-2": 1}  # the one behind, the other ahead
Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass
class Arena:
    """Everything that runs, by name."""

    options: Options
    logs: Path
    server: embedded_postgres.Server
    proxy: CuttingProxy
    sink: sinks.Sink
    post: Post
    port: int
    web: Managed
    clusters: list[Managed]
    unclean: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of the web server."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start web and clusters and wait until pages are served."""
        for process in (self.web, *self.clusters):
            process.start()
        end = time.monotonic() + 60
        while not launch.answers_http(self.port):
            if time.monotonic() > end:
                raise RuntimeError(f"the web server does not answer; see {self.logs}")
            time.sleep(0.1)

    def keep(self) -> None:
        """Start again what has died."""
        for process in (self.web, *self.clusters):
            process.keep()

    def stop_database(self, how: signal.Signals) -> None:
        """Stop the server by a signal; SIGQUIT ends it as a crash does."""
        process = self.server.process
        assert process is not None
        process.send_signal(how)
        process.wait()

    def start_database(self) -> None:
        """Start the server again; from the main thread only, whose end would take it along."""
        self.server = embedded_postgres.start(self.options.var, follow_parent=True)

    def stop(self) -> None:
        """End web and clusters as `make down` does, noting those that had to be killed."""
        everything = (*self.clusters, self.web)
        self.unclean += [f"{process.name} had to be killed" for process in everything if not process.stop()]
        self.unclean += [f"{process.name} left process {pid}" for process in everything for pid in process.left()]


def superuser(var: Path) -> Connection:
    """Connect past the proxy, as the superuser."""
    return psycopg.connect(embedded_postgres.superuser_url(var), dbname=DATABASE, autocommit=True, connect_timeout=5)


@contextmanager
def built(options: Options) -> Iterator[Arena]:
    """Make a fresh database and everything around it; nothing of web and clusters runs yet."""
    logs = options.var / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    with ExitStack() as stack:
        server = embedded_postgres.start(options.var, follow_parent=True)
        if server.process is None:
            raise RuntimeError(f"another round of chaos runs in {options.var}")
        _fresh_database(options)
        sink = stack.enter_context(sinks.serving(options.seed, lies=not options.calm))
        post = stack.enter_context(sinks.mail())
        socket_file = embedded_postgres.locate(options.var).sockets / f".s.PGSQL.{PORT}"
        proxy = stack.enter_context(CuttingProxy(socket_file, seed=options.seed))
        arena = _arena(options, logs, server, proxy, sink, post)
        try:
            yield arena
        finally:
            for process in (arena.web, *arena.clusters):
                process.kill()
            embedded_postgres.remove(options.var)


def _arena(
    options: Options, logs: Path, server: embedded_postgres.Server, proxy: CuttingProxy, sink: sinks.Sink, post: Post
) -> Arena:
    port = _free_port()
    environment = _environment(options, proxy, sink, post, port)
    web = Managed("web", launch.gunicorn(port, environment), environment, logs / "web.log")
    command = launch.manage("cluster", "--skip-checks")
    clusters = [
        Managed(name, command, _wrong(environment, side * options.skew), logs / f"{name}.log")
        for name, side in CLOCKS.items()
    ]
    return Arena(options, logs, server, proxy, sink, post, port, web, clusters)


def _environment(options: Options, proxy: CuttingProxy, sink: sinks.Sink, post: Post, port: int) -> dict[str, str]:
    base = {name: value for name, value in launch.base_environment().items() if not name.startswith("DOTDO_")}
    environment = base | {
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": proxy.url(APPLICATION, DATABASE),
        "DOTDO_VAR": str(options.var),
        "DOTDO_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DOTDO_WORKERS": str(WORKERS),
        "DOTDO_LEASE_SECONDS": str(options.lease),
        "DOTDO_ACTION_MODULES": "tests.chaos.actions",
        "DOTDO_OUTGOING_ALLOW": f"127.0.0.1:{sink.port},127.0.0.1:{post.port}",
        "DOTDO_SMTP_HOST": "127.0.0.1",
        "DOTDO_SMTP_PORT": str(post.port),
        actions.SINK: sink.url,
    }
    if options.mutant:
        environment |= {"DOTDO_APPS": "tests.chaos.mutants", "CHAOS_MUTANT": options.mutant}
    return environment


def _wrong(environment: dict[str, str], off: float) -> dict[str, str]:
    """Return the environment of processes whose clock is so many seconds off."""
    apps = ",".join(filter(None, (environment.get("DOTDO_APPS"), skew.APP)))
    return environment | {"DOTDO_APPS": apps, skew.CLOCK: str(off)}


def _fresh_database(options: Options) -> None:
    with psycopg.connect(embedded_postgres.superuser_url(options.var), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER dotdo_owner")
    owner = {"DATABASE_URL": embedded_postgres.owner_url(options.var), "DOTDO_APPLICATION_ROLE": APPLICATION}
    environment = os.environ | owner | {"DOTDO_VAR": str(options.var)}
    migrate = [sys.executable, str(ROOT / "manage.py"), "migrate", "-v0", "--skip-checks"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
    with superuser(options.var) as connection:
        connection.execute(actions.LEDGER)
        if options.mutant:
            mutants = importlib.import_module("tests.chaos.mutants")
            if hasattr(mutants, "prepare"):
                mutants.prepare(options.mutant, connection)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
