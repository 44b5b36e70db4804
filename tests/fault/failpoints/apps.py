"""The door into real processes: wrap the points as soon as Django is ready."""

import os
from pathlib import Path

from django.apps import AppConfig

FOLDER = "FAILPOINTS"


class Failpoints(AppConfig):
    name = "tests.fault.failpoints"
    label = "failpoints"

    def ready(self) -> None:
        """Wrap them for the life of the process."""
        from tests.fault.failpoints import points

        if FOLDER in os.environ:
            points.install(Path(os.environ[FOLDER]))
