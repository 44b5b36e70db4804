"""`manage.py migrate`: Django's, but where others would wait behind it, it fails fast and is tried again."""

import time
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as Migrate
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from dotdo_site import database_limits
from dotdo_site.lib.database_errors import DEADLOCK, LOCK_NOT_AVAILABLE, sqlstate
from dotdo_site.migration_locks import limited, shares_sessions, watched

PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)

POOLED = (
    "This connection goes through a pooler that hands sessions around, and a migration needs one of its own. Name the "
    "server itself: in DATABASE_OWNER_URL for `make migrate` and `make up`, in DATABASE_URL for `manage.py migrate`."
)


class Command(Migrate):
    """Bring the database up to this code."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate; when a lock cannot be had, undo, let others go on, and try again up to seven times."""
        connection = connections[options["database"]]
        if shares_sessions(connection):
            raise CommandError(POOLED)
        database_limits.keep_own()
        for pause in PAUSES_SECONDS:
            held_by = self._try(connection, *args, **options)
            if not held_by:
                return
            self.stderr.write(f"A table is in use by {held_by}. Trying again in {pause:g} s.")
            time.sleep(pause)
        held_by = self._try(connection, *args, **options)
        if held_by:
            raise CommandError(
                f"The migration did not get its locks and was undone. They are held by {held_by}. "
                "Let that end, or end it, and migrate again."
            )

    def _try(self, connection: BaseDatabaseWrapper, *args: Any, **options: Any) -> str:
        """Migrate once; return who stood in the way, nothing when it worked."""
        try:
            with watched(connection, self.stderr.write) as seen, limited(connection):
                super().handle(*args, **options)
        except OperationalError as error:
            if sqlstate(error) not in {LOCK_NOT_AVAILABLE, DEADLOCK}:
                raise
            connection.close()
            return "; ".join(map(str, seen.values())) or "a session that could not be seen"
        return ""
