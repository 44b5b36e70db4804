"""The front door of the Makefile: `python3 dotdo_site/bootstrap.py <verb>` from any folder, with no package installed.

This file alone keeps to the syntax of old Pythons, so that an old one ends with a sentence and not with a SyntaxError.
"""

import importlib
import os
import pathlib
import shutil
import sys

OLDEST = (3, 11)
TESTED = ("python3.13", "python3.12", "python3.11")
ROOT = pathlib.Path(__file__).resolve().parent.parent


def main() -> int:
    """Run the verb named in the arguments, under a newer Python if this one is too old."""
    # Images often set it to stay small; here each process would compile a thousand files before it does anything.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if sys.version_info < OLDEST:
        return _run_with_newer_python()
    sys.path[0] = str(ROOT)  # instead of this file's own folder, whose module names would hide others
    verbs = importlib.import_module("dotdo_site.launch.verbs")
    return int(verbs.main(sys.argv[1:]))


def _run_with_newer_python() -> int:
    for name in TESTED:
        python = shutil.which(name)
        if python:
            sys.stdout.flush()
            os.execv(python, [python] + sys.argv)  # noqa: RUF005, S606 - old syntax
    sys.stderr.write(
        "dotdo needs Python 3.11 or newer, and this is %d.%d (%s).\n" % (sys.version_info[:2] + (sys.executable,))  # noqa: RUF005, UP031
        + "Install one, for example:  sudo apt-get install -y python3.11 python3.11-venv\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
