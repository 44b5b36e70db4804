"""`manage.py cluster`: workers on this machine."""

from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS

from workflows.supervision import Supervisor


class Command(BaseCommand):
    help = "Run django-q2's cluster of workers under a watchdog, until SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until told to stop."""
        self.check(tags=[Tags.database], databases=[DEFAULT_DB_ALIAS])
        Supervisor().run()
