"""Let a migration give up a lock soon instead of waiting for it with everybody else behind.

A statement that waits to change a table makes all readers who come later wait as well. So each statement of a migration
waits two seconds at most; then the whole migration is undone, the readers go on, and it is tried again. What is done
concurrently (`CREATE INDEX CONCURRENTLY`) stands in nobody's way: it waits and works for as long as it takes.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

LOCK_SECONDS = 2.0
LOOK_SECONDS = 0.25
MEETINGS = 5
OF_DJANGO = {"cursor_factory", "context"}
TELL_LOOKS = 20  # in a row: nothing that stands in the way of others waits as long
LIMIT = f"SET LOCAL lock_timeout = '{LOCK_SECONDS:g}s'; SET LOCAL statement_timeout = 0"
NAMES = "('lock_timeout', 'statement_timeout', 'transaction_timeout')"  # the last one from PostgreSQL 17 on
OUTSIDE = f"""
SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN %s ELSE '0' END, false)
FROM pg_settings WHERE name IN {NAMES}
"""  # noqa: S608 - the names are a constant
BACK = f"SELECT set_config(name, reset_val, false) FROM pg_settings WHERE name IN {NAMES}"  # noqa: S608
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
    """Let statements wait for a lock for two seconds at most, but concurrent ones without end.

    What is said outside a transaction holds for the session, which must be the connection's own (`shares_sessions`).
    """

    def limit(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if not connection.in_atomic_block:
            patience = "0" if " CONCURRENTLY " in str(sql).upper() else f"{LOCK_SECONDS:g}s"
            execute(OUTSIDE, [patience], False, context)
        elif not connection.needs_rollback:
            execute(LIMIT, None, False, context)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(limit):
        yield
    if not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute(BACK)


def shares_sessions(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether a pooler gives another client the session that was just ours: two meet one process of the server.

    That the pooler makes up process ids says less: some stand before every connection, and leave each its session.
    """
    parameters = {name: value for name, value in connection.get_connection_params().items() if name not in OF_DJANGO}
    connection.ensure_connection()
    met: tuple[set[int], set[int]] = (set(), set())
    try:
        with psycopg.connect(**parameters, autocommit=True) as second:
            for raw, seen in [(connection.connection, met[0]), (second, met[1])] * MEETINGS:
                seen.update(raw.execute("SELECT pg_backend_pid()", prepare=False).fetchone() or ())
    except psycopg.OperationalError:
        return False  # there is room for one only
    return bool(met[0] & met[1])


@contextmanager
def watched(connection: BaseDatabaseWrapper, tell: Callable[[str], Any]) -> Iterator[dict[int, Session]]:
    """Collect the sessions that the connection waits for, seen from a second one; tell of those it waits long for."""
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone() or (0,)
    watch = _Watch(connection.get_connection_params(), pid, tell)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield watch.seen
    finally:
        watch.ended.set()
        thread.join()


class _Watch:
    """A look at who stands in the way of a process, again and again."""

    def __init__(self, parameters: dict[str, Any], pid: int, tell: Callable[[str], Any]) -> None:
        self.parameters = {name: value for name, value in parameters.items() if name not in OF_DJANGO}
        self.pid, self.tell = pid, tell
        self.seen: dict[int, Session] = {}
        self.looks: Counter[int] = Counter()
        self.ended = threading.Event()

    def run(self) -> None:
        """Look until the end is set."""
        try:
            with psycopg.connect(**self.parameters, autocommit=True) as second:
                while not self.ended.wait(LOOK_SECONDS):
                    self._look([Session(*row) for row in second.execute(BLOCKING, (self.pid,)).fetchall()])
        except psycopg.Error:
            return  # names are a help; without them the migration goes on as well

    def _look(self, blocking: list[Session]) -> None:
        self.looks = Counter({session.pid: self.looks[session.pid] + 1 for session in blocking})
        for session in blocking:
            self.seen[session.pid] = session
            if self.looks[session.pid] == TELL_LOOKS:
                self.tell(f"Waiting, with no limit and in nobody's way, for {session}.")
