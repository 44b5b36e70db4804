"""The places of this checkout, and how the launcher talks to the person in front of it."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
BACKUPS = "backups"
VERSION = "0.1.0"


class LaunchError(Exception):
    """Something stands in the way; the message says what, and what to do."""


def var_dir() -> Path:
    """Name the folder of everything this installation stores: DOTDO_VAR, else `var`."""
    return Path(os.environ.get("DOTDO_VAR") or ROOT / "var").absolute()


def in_venv() -> bool:
    """Tell whether this process runs on the checkout's own virtual environment."""
    return VENV.exists() and VENV.samefile(sys.prefix)


def say(text: str) -> None:
    """Print one line of progress; a terminal that has gone away is no reason to fail."""
    try:
        print(text, flush=True)  # noqa: T201 - the one place that does
    except OSError:
        return


def confirm(question: str, *, assume_yes: bool) -> bool:
    """Ask a yes-or-no question; without a terminal the answer is no."""
    if assume_yes:
        return True
    if not sys.stdin.isatty():
        say(f"{question} Nobody is there to answer: add YES=1 to go ahead.")
        return False
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
