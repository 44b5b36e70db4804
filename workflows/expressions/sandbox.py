"""jq behind a process boundary: no expression can read a file or a secret, or stall or crash this process.

One child (`sandbox_worker.py`) for each process of ours, started at the first use. It ends when it has used up the
processor time that an expression may take, and is replaced at the next use. By the clock it may take far longer: what
is late because one of both was frozen, or the machine is overloaded, is no fault of the expression. After a fork the
child process starts one of its own. A worker that loses its parent reads the end of its socket, and leaves.
"""

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from workflows.expressions import sandbox_worker as protocol
from workflows.expressions.errors import ExpressionError

WORKER = Path(protocol.__file__)
START_LIMIT_S = 30.0
SHORTEST_S = 0.01
PATIENCE = 10  # times the limit, by the clock


class Sandbox:
    """Evaluates jq programs in a confined process. Safe to share between threads; one evaluation at a time."""

    def __init__(self, *, limit_s: float = 1.0, memory_mib: int = 256) -> None:
        self.limit_s = limit_s
        self.memory_mib = memory_mib
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """Return the process id of the worker, or None if none is running."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def run(self, operation: bytes, program: str, document: bytes) -> tuple[bytes, bytes]:
        """Return the status and the text that the worker answers. Raises ExpressionError when it cannot."""
        with self._lock:
            try:
                return self._attempt(operation, program.encode(), document)
            except TimeoutError:  # it used little time, and yet there is no answer: another worker may give one
                pass
            try:
                return self._attempt(operation, program.encode(), document)
            except TimeoutError:
                detail = f"it did not end within {PATIENCE * self.limit_s:g} s by the clock, twice, and was stopped"
                raise ExpressionError("The expression took too long", detail) from None

    def close(self) -> None:
        """End the worker, if there is one."""
        with self._lock:
            self._kill()

    def forget(self) -> None:
        """Let go of a worker that belongs to the process we were forked from, without ending it."""
        self._lock = threading.Lock()
        if self._channel:
            self._channel.close()
        if self._process:
            self._process.returncode = 0
        self._process = self._channel = None

    def _ready(self) -> socket.socket:
        if self._channel and self._process and self._process.poll() is None:
            return self._channel
        self._kill()
        return self._start()

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(WORKER), str(self.memory_mib)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
            )
        self._channel = ours
        try:
            _receive_answer(ours, time.monotonic() + START_LIMIT_S)
        except OSError as error:
            self._kill()
            raise RuntimeError(f"the expression sandbox does not start: {sys.executable} -I {WORKER}") from error
        return ours

    def _attempt(self, operation: bytes, program: bytes, document: bytes) -> tuple[bytes, bytes]:
        channel = self._ready()
        try:
            return self._exchange(channel, operation, program, document)
        except TimeoutError:
            self._kill()
            raise
        except OSError:
            if self._kill() == -signal.SIGPROF:
                detail = f"it did not end within {self.limit_s:g} s of processor time and was stopped"
                raise ExpressionError("The expression took too long", detail) from None
            detail = f"it used more than {self.memory_mib} MiB of memory or nested too deeply, and was stopped"
            raise ExpressionError("The expression was too large", detail) from None
        except BaseException:  # an answer that nobody read would be taken for the next one's
            self._kill()
            raise

    def _exchange(
        self, channel: socket.socket, operation: bytes, program: bytes, document: bytes
    ) -> tuple[bytes, bytes]:
        deadline = time.monotonic() + PATIENCE * self.limit_s
        head = protocol.REQUEST.pack(operation, len(program), len(document), round(self.limit_s * 1000))
        channel.settimeout(PATIENCE * self.limit_s)
        channel.sendall(head + program + document)
        return _receive_answer(channel, deadline)

    def _kill(self) -> int | None:
        """End the worker; return its exit code, as far as it is known: it may have ended by itself."""
        process, channel, self._process, self._channel = self._process, self._channel, None, None
        if channel:
            channel.close()
        if process:
            process.kill()
            with contextlib.suppress(ChildProcessError):
                return process.wait()
        return None


def _receive_answer(channel: socket.socket, deadline: float) -> tuple[bytes, bytes]:
    status, size = protocol.ANSWER.unpack(_receive(channel, protocol.ANSWER.size, deadline))
    return status, _receive(channel, size, deadline)


def _receive(channel: socket.socket, count: int, deadline: float) -> bytes:
    buffer = bytearray()
    while len(buffer) < count:
        channel.settimeout(max(SHORTEST_S, deadline - time.monotonic()))  # while we were frozen it may have answered
        part = channel.recv(count - len(buffer))
        if not part:
            raise ConnectionResetError
        buffer += part
    return bytes(buffer)


SANDBOX = Sandbox()
os.register_at_fork(after_in_child=SANDBOX.forget)
atexit.register(SANDBOX.close)
