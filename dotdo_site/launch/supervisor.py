"""Keep a group of processes alive, show what they say, and end them all in order.

One thread does everything: it waits for lines of output, and looks four times a second for the dead. Each process leads
a session of its own, so Ctrl-C reaches only the supervisor, which then asks the main process of each to drain; a
SIGTERM to a whole group would kill the work in flight.
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dotdo_site.launch.output import Output
from dotdo_site.launch.processes import LAST_STAGE, Process
from dotdo_site.lib.parent_death import adopt_orphans, children, die_with_parent

TICK_SECONDS = 0.25
DRAIN_SECONDS = 35.0  # a cluster ends within 30 s by itself, and hands back what did not end
BACK_OFF_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_SECONDS = 60.0  # a process that lived so long starts again without back-off
ONE_REQUEST_SECONDS = 0.5
PIPE_BYTES = 65_536


@dataclass
class Child:
    """The state of one row of the table."""

    spec: Process
    popen: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    restart_at: float = 0.0


@dataclass
class Supervisor:
    """Runs processes in `cwd` with `environment`; clocks are monotonic seconds."""

    environment: Mapping[str, str]
    cwd: Path
    output: Output = field(default_factory=Output)
    drain_seconds: float = DRAIN_SECONDS
    spare: Callable[[], set[int]] = set  # pids of further children of this process, which look after themselves
    stop_requests: int = 0
    _last_request_at: float = float("-inf")
    _children: list[Child] = field(default_factory=list)
    _errands: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)

    def catch_signals(self) -> None:
        """Take Ctrl-C, SIGTERM and a closed terminal as the request to stop; a second one hurries."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.request_stop())
        adopt_orphans()

    def request_stop(self) -> None:
        """Note that somebody wants everything to end; signals that arrive together (make passes its own on) are one."""
        now = time.monotonic()
        if now - self._last_request_at > ONE_REQUEST_SECONDS:
            self.stop_requests += 1
        self._last_request_at = now

    def run_once(self, name: str, argv: tuple[str, ...], environment: Mapping[str, str] | None = None) -> int:
        """Run a command to its end, showing its output, and return its exit code; a stop request ends it early."""
        popen = self.launch(name, argv, environment)
        while popen.poll() is None:
            self.pump()
            if self.stop_requests:
                popen.terminate()
                popen.wait()
        self.pump(0)
        return popen.returncode

    def run_beside(self, name: str, argv: tuple[str, ...]) -> None:
        """Run a command beside everything else, once; it is only mentioned again if it fails."""
        self._errands[name] = self.launch(name, argv)

    def start(self, processes: Iterable[Process]) -> None:
        """Start the processes and keep them alive from now on."""
        for spec in processes:
            self._children.append(Child(spec))
        self._start_due(time.monotonic())

    def ready(self) -> bool:
        """Tell whether every process lives and says that it does its work."""
        alive = all(child.popen is not None and child.popen.poll() is None for child in self._children)
        return alive and all(child.spec.ready() for child in self._children)

    def tick(self) -> None:
        """Show new output, and start again what has died and waited its back-off."""
        self.pump()
        now = time.monotonic()
        for child in self._children:
            if child.popen is not None and child.popen.poll() is not None:
                self._bury(child, now)
        self._start_due(now)
        self._finish_errands()
        self._reap_orphans()

    def stop(self) -> None:
        """Drain and end every process, stage by stage, and whatever they left behind."""
        for stage in range(1, LAST_STAGE + 1):
            self._stop_stage([c for c in self._children if c.spec.stop_stage == stage and c.popen is not None])
        self._children.clear()
        self._errands.clear()
        self._kill_orphans()
        self.pump(0)

    def launch(
        self, name: str, argv: tuple[str, ...], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, its output shown under `name`."""
        popen = subprocess.Popen(
            argv,
            cwd=self.cwd,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - the supervisor has one thread
        )
        if popen.stdout is not None:
            os.set_blocking(popen.stdout.fileno(), False)
            self._selector.register(popen.stdout, selectors.EVENT_READ, name)
        return popen

    def pump(self, timeout: float = TICK_SECONDS) -> None:
        """Show what the processes have said, waiting up to `timeout` seconds for more."""
        for key, _ in self._selector.select(timeout):
            descriptor = key.fd
            try:
                data = os.read(descriptor, PIPE_BYTES)
            except BlockingIOError:
                continue
            self.output.write(key.data, descriptor, data)
            if not data:
                self._selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]

    def _start_due(self, now: float) -> None:
        for child in self._children:
            if child.popen is None and child.restart_at <= now and not self.stop_requests:
                child.popen, child.started_at = self.launch(child.spec.name, child.spec.argv), now

    def _bury(self, child: Child, now: float) -> None:
        if child.popen is None:
            return
        _kill_group(child.popen.pid)
        lived = now - child.started_at
        child.failures = 0 if lived > STEADY_SECONDS else child.failures + 1
        wait = BACK_OFF_SECONDS[min(child.failures, len(BACK_OFF_SECONDS)) - 1] if child.failures else 0.0
        ended = _describe(child.popen.returncode)
        self.output.say(f"{child.spec.name} {ended} after {lived:.0f} s; starting it again in {wait:g} s")
        child.popen, child.restart_at = None, now + wait

    def _stop_stage(self, leaving: list[Child]) -> None:
        for child in leaving:
            if child.popen is not None and child.popen.poll() is None:
                child.popen.terminate()
        already, deadline = self.stop_requests, time.monotonic() + self.drain_seconds
        while any(c.popen is not None and c.popen.poll() is None for c in leaving):
            self.pump()
            if time.monotonic() > deadline or self.stop_requests > already:
                break
        for child in leaving:
            if child.popen is not None:
                self._end(child.spec.name, child.popen)

    def _end(self, name: str, popen: subprocess.Popen[bytes]) -> None:
        if popen.poll() is None:
            self.output.say(f"{name} did not drain in time and is killed; what it was doing is done again later")
        _kill_group(popen.pid)
        popen.wait()
        self.pump(0)

    def _finish_errands(self) -> None:
        for name, popen in list(self._errands.items()):
            if popen.poll() is not None:
                del self._errands[name]
                if popen.returncode:
                    self.output.say(f"{name} {_describe(popen.returncode)}: its lines above say why")

    def _orphans(self) -> set[int]:
        """List what our processes started outside their groups and left behind; it has become our child (Linux)."""
        known = [*self._errands.values(), *(c.popen for c in self._children if c.popen is not None)]
        return children() - {popen.pid for popen in known} - self.spare()

    def _reap_orphans(self) -> None:
        for pid in self._orphans():
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    def _kill_orphans(self) -> None:
        for pid in self._orphans():
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _describe(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
