"""Tell sleeping workers that something is due: NOTIFY, after the commit, in a statement of its own.

Inside a transaction NOTIFY would take a database-wide lock until the commit is on disk, and end group commit. A lost
notification costs one poll interval.
"""

import logging

import psycopg
from django.db import Error, transaction

from workflows.sql import Statement

log = logging.getLogger(__name__)
CHANNEL = "dotdo_due"
_NOTIFY = Statement(f"SELECT set_config('synchronous_commit', 'off', true), pg_notify('{CHANNEL}', '')")


def workers() -> None:
    """Wake workers once the open transaction has committed; at once when there is none."""
    transaction.on_commit(_notify, robust=True)


def _notify() -> None:
    try:
        _NOTIFY.rows()
    except (Error, psycopg.Error) as error:
        log.warning("workers could not be notified, they will see it when they poll: %s", error)
