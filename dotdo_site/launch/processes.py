"""Which processes `make up` runs: a table of data, so that it can be read, tested and replaced."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from socket import create_connection

from dotdo_site.launch.checkout import ROOT

LAST_STAGE = 2
PROBE_TIMEOUT_SECONDS = 1.0
FIRST_SERVER_ERROR = 500


@dataclass(frozen=True)
class Process:
    """A process that is kept alive. Stages stop one after the other; `ready` says whether it does its work yet."""

    name: str
    argv: tuple[str, ...]
    stop_stage: int = 1
    ready: Callable[[], bool] = lambda: True


def manage(*arguments: str) -> tuple[str, ...]:
    """Give the command line of a Django command."""
    return (sys.executable, str(ROOT / "manage.py"), *arguments)


def table(port: int, environment: Mapping[str, str]) -> tuple[Process, ...]:
    """List the processes of one installation; the demo's stand-ins only where their ports were chosen.

    The settings have passed their checks before (`prepare`), which saves a part of each second start.
    The stand-ins stop last: what the cluster drains may still call them.
    """
    processes = (
        Process("web", gunicorn(port, environment), ready=lambda: answers_http(port)),
        Process("cluster", manage("cluster", "--skip-checks")),
    )
    if "DOTDO_DEMO_HTTP_PORT" not in environment:
        return processes
    ports = [int(environment[name]) for name in ("DOTDO_DEMO_HTTP_PORT", "DOTDO_DEMO_SMTP_PORT")]
    ready = lambda: all(map(accepts, ports))  # noqa: E731 - a probe, as in the rows above
    return (*processes, Process("demo", manage("demo_standins"), stop_stage=LAST_STAGE, ready=ready))


def gunicorn(port: int, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Give the web server's command line: loopback, threads for requests that wait, one copy of the code."""
    options = {
        "--bind": f"127.0.0.1:{port}",
        "--worker-class": "gthread",
        "--workers": environment.get("DOTDO_WEB_WORKERS", "2"),
        "--threads": environment.get("DOTDO_WEB_THREADS", "4"),
        "--timeout": "60",
        "--graceful-timeout": "30",
        "--log-level": "warning",
    }
    if Path("/dev/shm").is_dir():  # noqa: S108 - gunicorn makes its own private file there
        options["--worker-tmp-dir"] = "/dev/shm"  # noqa: S108 - a disk under load must not make workers look dead
    flat = [part for option in options.items() for part in option]
    return (sys.executable, "-m", "gunicorn", "--no-control-socket", "--preload", *flat, "dotdo_site.wsgi")


def answers_http(port: int) -> bool:
    """Tell whether the web server serves pages: any answer but a server error."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status < FIRST_SERVER_ERROR
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def accepts(port: int) -> bool:
    """Tell whether something listens on a loopback port."""
    try:
        create_connection(("127.0.0.1", port), timeout=PROBE_TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True


def base_environment() -> dict[str, str]:
    """Give what every process of dotdo is started with."""
    return os.environ | {"PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": "dotdo_site.settings"}
