"""`manage.py cluster`: workers on this machine."""

import logging
import time
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS, Error, connection

from dotdo_site import database_limits
from workflows.outage import is_outage, pause
from workflows.supervision import Supervisor

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Run django-q2's cluster of workers under a watchdog, until SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        """Wait for the database, look at how it is set, and work until told to stop."""
        _await_database()
        database_limits.keep_own()
        self.check(tags=[Tags.database], databases=[DEFAULT_DB_ALIAS])
        Supervisor().run()


def _await_database() -> None:
    asked = 0
    while True:
        try:
            return connection.ensure_connection()
        except Error as error:
            if not is_outage(error):
                raise
            asked += 1
            log.warning("the database is away, asking again: %s", str(error).strip())
            time.sleep(pause(asked))
