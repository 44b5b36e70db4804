"""One `make up` per `var` folder: a lock says whether one runs, and the locked file says where it answers."""

import fcntl
import json
import os
import signal
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dotdo_site.launch.checkout import LaunchError

STOP_LIMIT_SECONDS = 150.0


def process_namespace() -> int:
    """Identify the space in which pids mean something: another container has another one (Linux; elsewhere 0)."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


@dataclass(frozen=True)
class Instance:
    """A running `make up`: its supervisor, its address, and the environment that its commands share."""

    pid: int
    url: str
    environment: dict[str, str]
    namespace: int = field(default_factory=process_namespace)


def claim(var: Path, instance: Instance) -> int:
    """Become the one instance of this folder until the returned descriptor closes. Raises LaunchError."""
    var.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(_lock_file(var), os.O_RDWR | os.O_CREAT, 0o600)
    if not _lock(descriptor):
        os.close(descriptor)
        refuse_second(var)
        raise LaunchError("dotdo is just starting or stopping here: try again in a moment.")
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps(asdict(instance)).encode())
    return descriptor


def running(var: Path) -> Instance | None:
    """Find the instance that runs on this folder, if any. Raises LaunchError for one that is only just starting."""
    for _ in range(20):
        try:
            descriptor = os.open(_lock_file(var), os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            if _lock(descriptor):
                return None
            return Instance(**json.loads(os.read(descriptor, 65_536)))
        except ValueError:
            time.sleep(0.05)  # locked, and not written yet
        finally:
            os.close(descriptor)
    raise LaunchError("dotdo is just starting or stopping here: try again in a moment.")


def refuse_second(var: Path) -> None:
    """Raise LaunchError, with the address, if an instance runs on this folder."""
    instance = running(var)
    if instance is not None:
        raise LaunchError(
            f"dotdo is already running here: {instance.url}\nStop it with `make down`; sign in with `make login`."
        )


def stop(var: Path) -> bool:
    """Ask the running instance to drain, and wait until it has ended; return whether one ran. Raises LaunchError."""
    instance = running(var)
    if instance is None:
        return False
    if instance.namespace != process_namespace():
        raise LaunchError("dotdo runs on this folder in another container: stop it there.")
    try:
        os.kill(instance.pid, signal.SIGTERM)
    except PermissionError as error:
        raise LaunchError(f"dotdo runs as another user here (process {instance.pid}): stop it as that user.") from error
    deadline = time.monotonic() + STOP_LIMIT_SECONDS
    while running(var) is not None:
        if time.monotonic() > deadline:
            raise LaunchError(f"Process {instance.pid} did not end; look at what it prints.")
        time.sleep(0.1)
    return True


def _lock_file(var: Path) -> Path:
    return var / "up.lock"


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
