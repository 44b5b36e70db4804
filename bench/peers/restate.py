"""Restate: its own server with its own log and store, and handlers behind its Python SDK on hypercorn.

Tuned: several processes of handlers, as many calls in flight as keep them busy. It writes to a data folder of its own
on the same disk, not to PostgreSQL.
"""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import restate

from bench.peers import course
from bench.peers.course import Setting
from bench.peers.free import free_port
from bench.peers.marks import STEPS, mark

service = restate.Service("bench")


@service.handler()
async def run(context: restate.Context, key: str) -> str:
    """Run ten steps."""
    for number in range(1, STEPS + 1):

        async def step(number: int = number) -> int:
            mark(key, number)
            return number

        await context.run_typed(f"s{number}", step)
    return key


app = restate.app([service])


class Peer:
    """A server, and processes of handlers that it calls."""

    settings = (Setting(2, 16), Setting(2, 64), Setting(4, 32))

    def setup(self) -> None:
        """Start the server with a data folder of its own."""
        self.ingress, self.admin, self.handlers, node = (free_port() for _ in range(4))
        packages = Path(os.environ["BENCH_NPM"]) / "node_modules" / "@restatedev"
        program = next(packages.glob("restate-server-*/bin/restate-server"))
        ports = {"INGRESS__BIND_PORT": self.ingress, "ADMIN__BIND_PORT": self.admin, "BIND_PORT": node}
        quiet = {"RESTATE_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1", "RESTATE_LOG_FILTER": "warn"}
        place = ["--base-dir", os.environ["BENCH_FOLDER"], "--node-name", "bench", "--bind-ip", "127.0.0.1"]
        environment = os.environ | quiet | {f"RESTATE_{name}": str(port) for name, port in ports.items()}
        command = [str(program), *place, "--listen-mode", "tcp", "--no-logo"]
        self.server = subprocess.Popen(command, env=environment, stdout=sys.stderr)
        self.threads = ThreadPoolExecutor(max(setting.concurrency for setting in self.settings))
        self.connections = threading.local()

    def workers(self, setting: Setting) -> list[list[str]]:
        """Return one supervisor with so many processes of handlers."""
        own = ["--workers", str(setting.processes), "--bind", f"127.0.0.1:{self.handlers}", "--log-level", "error"]
        return [[sys.executable, "-m", "hypercorn", *own, "bench.peers.restate:app"]]

    def connect(self, setting: Setting, workers: Sequence[object]) -> None:
        """Tell the server where the handlers are, once both answer."""
        self.free = threading.Semaphore(setting.concurrency)
        for _ in range(60):
            with suppress(OSError, RuntimeError, http.client.HTTPException):
                self._post(self.admin, "/deployments", {"uri": f"http://127.0.0.1:{self.handlers}"})
                return
            time.sleep(0.5)
        raise TimeoutError("the server does not take the deployment")

    def backlog(self, keys: Sequence[str]) -> None:
        """Call, so many at a time."""
        list(self.threads.map(self._call, keys))

    def start(self, key: str) -> None:
        """Call; this returns with the result, the marks were made before."""
        self._post(self.ingress, "/bench/run", key)

    def repeat(self) -> None:
        """Call with a known key, whose result is kept."""
        self._post(self.ingress, "/bench/run", "known", {"idempotency-key": "known"})

    def _call(self, key: str) -> None:
        with self.free:
            self._post(self.ingress, "/bench/run", key)

    def _post(self, port: int, path: str, body: object, headers: Mapping[str, str] | None = None) -> None:
        connection = getattr(self.connections, str(port), None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            setattr(self.connections, str(port), connection)
        try:
            connection.request(
                "POST", path, json.dumps(body), {"content-type": "application/json"} | dict(headers or {})
            )
            answer = connection.getresponse()
            text = answer.read()
        except BaseException:
            delattr(self.connections, str(port))
            raise
        if answer.status >= 300:
            raise RuntimeError(f"{path}: {answer.status} {text[:200]!r}")


if __name__ == "__main__":
    peer = Peer()
    try:
        course.main(peer, f"SDK {version('restate-sdk')}")
    finally:
        peer.server.terminate()
