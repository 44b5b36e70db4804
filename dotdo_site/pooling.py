"""Whether a connection goes through a pooler in transaction mode, such as PgBouncer: then it has no session of its own.

Each transaction may meet another process of the server, so nothing may be left behind in a session: no prepared
statement that the pooler does not know of, no LISTEN, no SET. A pooler gives its clients process ids that it made up;
the server knows the true one. What the two say differs, and so nobody has to tell us.
"""

from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper


def is_pooled(raw: "psycopg.Connection[Any]") -> bool:
    """Tell whether something between here and the server hands out its processes; asks the server once."""
    (pid,) = raw.execute("SELECT pg_backend_pid()", prepare=False).fetchone() or (0,)
    return bool(pid != raw.info.backend_pid)


def settle(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Let a new connection prepare nothing if it is pooled, unless a setting says that the pooler keeps track."""
    raw = connection.connection
    if settings.PREPARED_STATEMENTS is None and is_pooled(raw):
        raw.prepare_threshold = None
