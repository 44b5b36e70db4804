"""A clock that is wrong: the door into real processes, whose machine is then so many seconds ahead or behind.

As a Django app (`DOTDO_APPS=tests.chaos.skew.Skew CHAOS_CLOCK=-5400`). Monotonic clocks stay as they are, as on a
machine whose clock was set wrongly. Nothing may depend on it but time stamps of logs and signatures.
"""

import os
from datetime import UTC, datetime, timedelta

import time_machine
from django.apps import AppConfig

CLOCK = "CHAOS_CLOCK"
APP = "tests.chaos.skew.Skew"


class Skew(AppConfig):
    name = "tests.chaos.skew"
    label = "chaos_skew"

    def ready(self) -> None:
        """Be wrong for the life of the process and of those that it forks."""
        off = timedelta(seconds=float(os.environ[CLOCK]))
        time_machine.travel(datetime.now(UTC) + off, tick=True).start()
