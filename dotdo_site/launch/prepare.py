"""Whether the database already matches the code, and the connection with which it is made to."""

import hashlib
import re
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from dotdo_site import backup, embedded_postgres, keys, variables
from dotdo_site.launch import processes
from dotdo_site.launch.checkout import ROOT, LaunchError, var_dir
from dotdo_site.postgres_settings import APPLICATION

OUTSIDE_CODE = ("DOTDO_APPS", "DOTDO_ACTION_MODULES")
SETTINGS = ("DOTDO_", "SECRET_KEY")
HERE = re.compile(r"http://127\.0\.0\.1:[0-9]+")
PACKAGES = ("dotdo_site", "audit", "actions", "workflows")


def owner_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Give what migrations need beyond the normal environment: the owner's connection, and whom to grant access."""
    if not environment.get("DATABASE_URL"):
        return {
            "DATABASE_URL": embedded_postgres.owner_url(Path(environment.get("DOTDO_VAR") or var_dir())),
            "DOTDO_APPLICATION_ROLE": APPLICATION,
        }
    if owner := environment.get("DATABASE_OWNER_URL"):
        return {"DATABASE_URL": owner}
    return {}


def migrate() -> None:
    """Bring the database up to this code, as its owner, and grant the application its rights. Raises LaunchError."""
    base = processes.base_environment() | {"DOTDO_VAR": str(var_dir())}
    keys.ensure(var_dir() / "keys" / "keys.json")
    with backup.installation(var_dir()):
        command = processes.manage("migrate", "--no-input", "--verbosity", "1")
        done = subprocess.run(command, cwd=ROOT, env=base | owner_environment(base), check=False)
    if done.returncode != 0:
        raise LaunchError("The migration failed; the lines above say why.")


def is_prepared(environment: Mapping[str, str]) -> bool:
    """Tell whether this very code has prepared this very database before.

    Only answered for the embedded server and code of our own: of anything else we cannot know that it is unchanged.
    """
    if environment.get("DATABASE_URL") or any(environment.get(name) for name in OUTSIDE_CODE):
        return False
    if variables.unknown(environment):
        return False  # the checks warn again
    try:
        return _stamp().read_text() == fingerprint(environment)
    except FileNotFoundError:
        return False


def note_prepared(environment: Mapping[str, str]) -> None:
    """Remember that the database matches the code, and that the settings passed their checks."""
    _stamp().write_text(fingerprint(environment))


def forget() -> None:
    """Make the next start look at the database again (it was replaced)."""
    _stamp().unlink(missing_ok=True)


def fingerprint(environment: Mapping[str, str]) -> str:
    """Digest what preparation follows from: code, installed packages, settings, and the identity of the data."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    installed = sorted(path.name for path in Path(sysconfig.get_path("purelib")).glob("*-info"))
    data = embedded_postgres.locate(var_dir()).data
    control = data / "global" / "pg_control"
    identity = control.read_bytes()[:8] if control.exists() else b""  # the system identifier, made by initdb
    settings = sorted(f"{name}={value}" for name, value in environment.items() if _prepares(name, value))
    digest.update("\0".join([*installed, *settings]).encode() + identity)
    return digest.hexdigest()


def _prepares(name: str, value: str) -> bool:
    """Tell whether a variable is one of our settings; an address here, at whatever port is free, changes nothing."""
    return name.startswith(SETTINGS) and not (name == "DOTDO_PUBLIC_URL" and HERE.fullmatch(value))


def _stamp() -> Path:
    return var_dir() / "prepared"
