"""The installation's secret keys: generated once, kept in one private file that is part of every backup."""

import base64
import json
import os
import secrets
from pathlib import Path

ADDED = ("AUDIT_SIGNING_KEY",)  # what a file of an earlier release may lack, and where a fresh one does no harm


def ensure(path: Path) -> bool:
    """Create the key file (mode 0600, in a folder of mode 0700) unless it exists; return whether it was created.

    A file of an earlier release gets the keys that came later.
    """
    if not path.exists():
        write(path, generate())
        return True
    known, fresh = json.loads(path.read_text()), generate()
    missing = {name: fresh[name] for name in ADDED if name not in known}
    if missing:
        write(path, known | missing)
    return False


def generate() -> dict[str, str]:
    """Make a fresh set of keys."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(64),
        "API_KEY_PEPPER": secrets.token_urlsafe(48),
        "SECRETS_KEYS": "k1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "AUDIT_SIGNING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }


def write(path: Path, keys: dict[str, str]) -> None:
    """Replace the key file: complete or not at all, even if the machine stops half-way."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(keys, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
