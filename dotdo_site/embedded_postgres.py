"""The embedded PostgreSQL: a private server for one `var` folder, reachable only through a socket in a private folder.

Everything follows from the `var` folder alone, so settings can name the database before any server runs. Whether a
server runs is told by a lock, never by a pid file: the server and all its processes inherit a locked file, so the
kernel itself says when the last of them is gone, whatever pid files a crash or a container has left behind.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode

from dotdo_site.lib.parent_death import die_with_parent
from dotdo_site.postgres_programs import (
    INSTALLATIONS,
    MAJOR,
    SYSTEM_FOLDER,
    Account,
    EmbeddedPostgresError,
    account,
    account_name,
    clean_environment,
    programs,
    programs_for,
)
from dotdo_site.postgres_settings import APPLICATION, CONFIGURATION, DATABASE, OWNER, PORT, ROLES_SQL, SUPERUSER

START_LIMIT_SECONDS = 120
STOP_LIMIT_SECONDS = 60
SOCKET_PATH_LIMIT = 100  # bytes; the kernels allow 104 to 108
LOG_LIMIT_BYTES = 10_000_000
OTHER_MAJOR = "" if max(INSTALLATIONS) == MAJOR else f"-{MAJOR}"  # data of another major version lies beside ours
# The same order and letters on every system; PostgreSQL brings the locale itself since 17.
BUILT_IN = ("--no-locale", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8")
LOCALE = BUILT_IN if MAJOR >= 17 else ("--locale", "C.UTF-8")
ROLES = ("all",) if MAJOR >= 16 else (SUPERUSER, OWNER, APPLICATION)  # before, `all` was the name of a role


@dataclass(frozen=True)
class Location:
    """The folders of one embedded server."""

    var: Path
    home: Path
    sockets: Path

    @property
    def data(self) -> Path:
        """The data folder, made by initdb."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.home / "postgresql.log"


@dataclass
class Server:
    """A running server; `process` is None when somebody else started it."""

    location: Location
    process: subprocess.Popen[bytes] | None

    def is_alive(self) -> bool:
        """Tell whether the server still runs, without connecting."""
        return _locked(self.location) if self.process is None else self.process.poll() is None

    def stop(self) -> None:
        """Stop the server: open transactions roll back, everything committed is on disk."""
        stop(self.location.var)
        if self.process is not None:
            self.process.wait()


def application_url(var_dir: Path) -> str:
    """Name the database as the application role, which owns nothing."""
    return _url(var_dir, APPLICATION, DATABASE)


def owner_url(var_dir: Path) -> str:
    """Name the database as the role that owns the tables and runs migrations."""
    return _url(var_dir, OWNER, DATABASE)


def superuser_url(var_dir: Path) -> str:
    """Name the server's maintenance database as its superuser (tests create databases with it)."""
    return _url(var_dir, SUPERUSER, "postgres")


def locate(var_dir: Path) -> Location:
    """Work out a server's folders from its `var` folder alone.

    Root's server runs under an account of its own, which cannot be assumed to reach `var`: its data has a folder in
    the system's place for such data. A socket path that would be too long moves to a private folder below /tmp (not
    TMPDIR, which differs between shells).
    """
    var = var_dir.resolve()
    name = hashlib.sha256(str(var).encode()).hexdigest()[:12] + OTHER_MAJOR
    home = SYSTEM_FOLDER / name if os.geteuid() == 0 else var / f"postgres{OTHER_MAJOR}"
    sockets = home / "run"
    if len(os.fsencode(sockets / f".s.PGSQL.{PORT}")) >= SOCKET_PATH_LIMIT:
        sockets = Path("/tmp") / f"dotdo-{os.geteuid()}-{name}"  # noqa: S108 - made 0700 and checked for its owner
    return Location(var, home, sockets)


def is_running(var_dir: Path) -> bool:
    """Tell whether the server of this `var` folder answers, by connecting to it."""
    location = locate(var_dir)
    return _locked(location) and _answers(location)


def start(var_dir: Path, *, follow_parent: bool = False) -> Server:
    """Start the server, or join the one that runs, and wait until it answers; raises EmbeddedPostgresError.

    With `follow_parent` the kernel stops the server when the calling process dies (Linux).
    """
    location, user = locate(var_dir), account()
    _prepare_folders(location, user)
    deadline = time.monotonic() + START_LIMIT_SECONDS
    server = _launch_or_join(location, user, follow_parent, deadline)
    _await_answer(server, deadline)
    run_sql(location, ROLES_SQL)
    return server


def stop(var_dir: Path) -> bool:
    """Stop the server and wait until its last process is gone; return whether one ran. Raises EmbeddedPostgresError."""
    location = locate(var_dir)
    if not _locked(location):
        return False
    for stop_signal, limit in ((signal.SIGINT, STOP_LIMIT_SECONDS), (signal.SIGQUIT, 10)):
        _signal_server(location, stop_signal)
        if _await_unlocked(location, limit):
            return True
    raise EmbeddedPostgresError(f"PostgreSQL did not stop; see {location.log}")


def remove(var_dir: Path) -> None:
    """Stop the server and delete everything it stored."""
    stop(var_dir)
    location = locate(var_dir)
    others = location.home.parent.glob(f"{location.home.name}-[0-9][0-9]")  # of another major version, made by tests
    for folder in (location.home, location.sockets, location.var / "postgres", *others):
        shutil.rmtree(folder, ignore_errors=True)


def run_sql(location: Location, sql: str, *, database: str = "postgres") -> str:
    """Run a psql script as superuser and return its plain output; raises EmbeddedPostgresError with psql's words."""
    done = _psql(location, database, sql)
    if done.returncode != 0:
        raise EmbeddedPostgresError(f"PostgreSQL refused: {done.stderr.strip()}")
    return done.stdout.strip()


def _url(var_dir: Path, role: str, database: str) -> str:
    options = {"host": str(locate(var_dir).sockets), "port": str(PORT)}
    if name := account_name():
        options["requirepeer"] = name  # whoever else puts a socket in that place is refused
    return f"postgresql://{role}@/{database}?{urlencode(options)}"


def _prepare_folders(location: Location, user: Account) -> None:
    location.var.mkdir(parents=True, exist_ok=True)
    if location.home.is_relative_to(SYSTEM_FOLDER):
        SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True)
        SYSTEM_FOLDER.chmod(0o711)
        with _alone(location.var):
            _match_checkout(location)
    for folder in (location.home, location.sockets):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {user.uid, os.geteuid()}:
            raise EmbeddedPostgresError(f"{folder} belongs to another user: delete it, or have it deleted.")
        if found.st_uid != user.uid:
            os.chown(folder, user.uid, user.gid)
        folder.chmod(0o700)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time into what follows, by a lock on the folder itself, which leaves no file behind."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _match_checkout(location: Location) -> None:
    """Put aside the data of an earlier checkout in the same place, whose keys are gone with it."""
    here, there = location.var / "postgres" / "cluster-id", location.home / "cluster-id"
    if there.exists() and (not here.exists() or here.read_text() != there.read_text()):
        if _locked(location):
            raise EmbeddedPostgresError(
                f"The server of an earlier checkout in this place still runs on {location.home}: stop that one first."
            )
        aside = location.home.with_name(f"{location.home.name}-left-{time.strftime('%Y%m%d-%H%M%S')}")
        location.home.rename(aside)
        print(f"The data of an earlier checkout in this place was put aside: {aside}", flush=True)  # noqa: T201 - seldom, and must be seen
    if not there.exists():
        location.home.mkdir(mode=0o700, exist_ok=True)
        here.parent.mkdir(mode=0o700, exist_ok=True)
        here.write_text(secrets.token_hex(8))
        shutil.copyfile(here, there)


def _launch_or_join(location: Location, user: Account, follow_parent: bool, deadline: float) -> Server:
    while time.monotonic() < deadline:
        lock = _take_lock(location)
        if lock is not None:
            try:
                return Server(location, _launch(location, user, lock, follow_parent))
            finally:
                os.close(lock)
        if _answers(location):
            return Server(location, None)
        time.sleep(0.1)
    raise EmbeddedPostgresError(f"Another process holds {location.home} but answers nobody; see {location.log}")


def _launch(location: Location, user: Account, lock: int, follow_parent: bool) -> subprocess.Popen[bytes]:
    folder = programs_for(user)
    _refuse_other_version(location)
    if not location.data.exists():
        _initialise(location, user, folder)
    _write_access_rules(location, user)
    # Nobody holds the lock, so a pid file can only be left over; PostgreSQL would believe it if the pid is taken.
    (location.data / "postmaster.pid").unlink(missing_ok=True)
    command = [str(folder / "postgres"), "-D", str(location.data), "-k", str(location.sockets)]
    for name, value in CONFIGURATION.items():
        command += ["-c", f"{name}={value}"]
    with _open_log(location) as log:
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=location.home,
            env=clean_environment(),
            umask=0o077,
            pass_fds=[lock],
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGINT) if follow_parent else None,  # noqa: PLW1509 - no locks in it
            **user.switch,
        )


def _refuse_other_version(location: Location) -> None:
    try:
        found = (location.data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return
    if found != str(MAJOR):
        raise EmbeddedPostgresError(
            f"{location.data} was made by PostgreSQL {found}; this dotdo brings {MAJOR}. Nothing was changed.\n"
            "Go back to the dotdo that made it and run `make backup` there. Then move that folder away, and run "
            "`make up`, `make down` and `make restore FILE=...` with this one."
        )


def _initialise(location: Location, user: Account, folder: Path) -> None:
    fresh = location.home / "data.new"  # renamed when complete: an interrupted initdb leaves nothing that looks usable
    shutil.rmtree(fresh, ignore_errors=True)
    # fmt: off
    command = [str(folder / "initdb"), "-D", str(fresh), "--username", SUPERUSER, "--auth", "peer",
               "--encoding", "UTF8", *LOCALE, "--data-checksums"]
    # fmt: on
    done = subprocess.run(  # type: ignore[call-overload]
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=location.home,
        env=clean_environment(),
        umask=0o077,
        **user.switch,
    )
    if done.returncode != 0:
        raise EmbeddedPostgresError(f"initdb failed in {fresh}: {done.stderr.strip() or done.stdout.strip()}")
    fresh.rename(location.data)


def _write_access_rules(location: Location, user: Account) -> None:
    """Let in the server's own account and the user we are, and nobody else: the socket's peer is who it says."""
    names = [user.name] if user.uid == os.geteuid() else [user.name, "root"]
    rules = {
        "pg_hba.conf": "local all all peer map=dotdo\n",
        "pg_ident.conf": "".join(f'dotdo "{name}" {role}\n' for name in names for role in ROLES),
    }
    for name, text in rules.items():
        path = location.data / name
        path.write_text(text)
        os.chown(path, user.uid, user.gid)
        path.chmod(0o600)


def _open_log(location: Location) -> BinaryIO:
    if location.log.exists() and location.log.stat().st_size > LOG_LIMIT_BYTES:
        location.log.replace(location.log.with_suffix(".log.1"))
    return location.log.open("ab")


def _await_answer(server: Server, deadline: float) -> None:
    while not _answers(server.location):
        if server.process is not None and server.process.poll() is not None:
            raise EmbeddedPostgresError(f"PostgreSQL ended while starting:\n{_tail(server.location)}")
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"PostgreSQL did not answer in {START_LIMIT_SECONDS} s:\n{_tail(server.location)}"
            )
        time.sleep(0.05)


def _tail(location: Location, lines: int = 12) -> str:
    try:
        text = location.log.read_text(errors="replace")
    except FileNotFoundError:
        return "(it said nothing)"
    return "\n".join(text.splitlines()[-lines:])


def _answers(location: Location) -> bool:
    done = _psql(location, "postgres", "SHOW data_directory")
    return done.returncode == 0 and done.stdout.strip() == str(location.data)


def _psql(location: Location, database: str, sql: str) -> subprocess.CompletedProcess[str]:
    # fmt: off
    command = [str(programs() / "psql"), "-XAtqw", "-v", "ON_ERROR_STOP=1", "-h", str(location.sockets),
               "-p", str(PORT), "-U", SUPERUSER, "-d", database, "-f", "-"]
    # fmt: on
    environment = clean_environment() | {"PGCONNECT_TIMEOUT": "5"}
    return subprocess.run(command, input=sql, capture_output=True, text=True, env=environment, check=False)


def _take_lock(location: Location) -> int | None:
    try:
        descriptor = os.open(location.home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _locked(location: Location) -> bool:
    if not (location.home / "lock").exists():
        return False
    descriptor = _take_lock(location)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def _await_unlocked(location: Location, limit_seconds: float) -> bool:
    deadline = time.monotonic() + limit_seconds
    while time.monotonic() < deadline:
        if not _locked(location):
            return True
        time.sleep(0.05)
    return False


def _signal_server(location: Location, stop_signal: signal.Signals) -> None:
    """Signal the server's first process; its pid file is true while the lock is held."""
    try:
        pid = int((location.data / "postmaster.pid").read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline")
        if Path("/proc/self/cmdline").exists() and os.fsencode(location.data) not in command.read_bytes().split(b"\0"):
            raise EmbeddedPostgresError(f"The server on {location.data} runs in another container: stop it there.")
        os.kill(pid, stop_signal)
    except (FileNotFoundError, ProcessLookupError):
        return  # it is ending by itself
