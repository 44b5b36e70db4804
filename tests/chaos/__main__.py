"""`make chaos DURATION=60 SEED=1`. Exit code 1: a promise was broken; 2: too little happened to say so."""

import faulthandler
import os
import sys
from pathlib import Path

import django

from dotdo_site import keys

PATIENCE_SECONDS = 300


def main() -> int:
    """Set up Django on the arena's own database, then attack."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "dotdo_site.settings"
    os.environ["DOTDO_ACTION_MODULES"] = "tests.chaos.actions"
    os.environ.pop("DATABASE_URL", None)
    keys.ensure(Path(os.environ["DOTDO_VAR"]) / "keys" / "keys.json")
    django.setup()
    from tests.chaos import harness, options

    asked = options.from_environment()
    faulthandler.dump_traceback_later(asked.duration + PATIENCE_SECONDS, exit=True)  # says where the harness hangs
    return harness.play(asked).exit_code


if __name__ == "__main__":
    sys.exit(main())
