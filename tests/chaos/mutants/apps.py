"""The door into real processes: plant the bug that the environment names as soon as Django is ready."""

import os

from django.apps import AppConfig

NAMED_BY = "CHAOS_MUTANT"


class Mutants(AppConfig):
    name = "tests.chaos.mutants"
    label = "chaos_mutants"

    def ready(self) -> None:
        """Plant it for the life of the process."""
        from tests.chaos.mutants.bugs import plant

        name = os.environ.get(NAMED_BY)
        if name:
            plant(name)
