"""Let a migration give up a lock soon instead of waiting for it with everybody else behind.

A statement that waits to change a table makes all readers who come later wait as well. So each statement of a migration
waits two seconds at most; then the whole migration is undone, the readers go on, and it is tried again.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

LOCK_SECONDS = 2.0
LOOK_SECONDS = 0.25
LIMIT = f"SET LOCAL lock_timeout = '{LOCK_SECONDS:g}s'; SET LOCAL statement_timeout = 0"
# What others do is shown only to their own role and to supervisors; who they are, to everybody.
BLOCKING = """
SELECT a.pid, a.usename, a.application_name, a.state, extract(epoch FROM now() - a.xact_start)::int
FROM pg_stat_activity a WHERE a.pid = ANY(pg_blocking_pids(%s))
"""


class Session(NamedTuple):
    """Another session that holds what a migration wants."""

    pid: int
    role: str
    application: str
    state: str | None
    seconds: int | None

    def __str__(self) -> str:
        """Say who it is, and how to end it."""
        doing = f", {self.state} for {self.seconds} s" if self.state and self.seconds is not None else ""
        name = f", {self.application}" if self.application else ""
        return f"process {self.pid} ({self.role}{name}{doing}; end it with SELECT pg_terminate_backend({self.pid}))"


@contextmanager
def limited(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let every statement inside a transaction wait for a lock for two seconds at most, behind poolers too."""

    def limit(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if connection.in_atomic_block and not connection.needs_rollback:
            execute(LIMIT, None, False, context)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(limit):
        yield


@contextmanager
def watched(connection: BaseDatabaseWrapper) -> Iterator[dict[int, Session]]:
    """Collect the sessions that the connection waits for by their process, seen from a second connection."""
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone() or (0,)
    seen: dict[int, Session] = {}
    ended = threading.Event()
    thread = threading.Thread(target=_watch, args=(connection.get_connection_params(), pid, seen, ended), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _watch(parameters: dict[str, Any], pid: int, seen: dict[int, Session], ended: threading.Event) -> None:
    own = {name: value for name, value in parameters.items() if name not in {"cursor_factory", "context"}}
    try:
        with psycopg.connect(**own, autocommit=True) as second:
            while not ended.wait(LOOK_SECONDS):
                seen.update((row[0], Session(*row)) for row in second.execute(BLOCKING, (pid,)).fetchall())
    except psycopg.Error:
        return  # names are a help; without them the migration goes on as well
