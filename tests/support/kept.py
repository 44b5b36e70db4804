"""Rows that many tests begin with: kept as the first of them made them, and put back for those that come after it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from actions import registry
from actions.registry import ActionSpec
from tests.support import published
from tests.support.emptying import EMPTY, KEPT, Superuser

Value = TypeVar("Value")
FRESH_SECONDS = 60.0  # after which rows are made anew: pages say how long ago something was
TABLES = f"SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN {KEPT!r}"
SEQUENCES = """
SELECT format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences
WHERE schemaname = 'public' AND last_value IS NOT NULL
"""


@dataclass(frozen=True)
class Rows:
    """Tables in the form of COPY, and where the sequences stood."""

    tables: dict[str, bytes]
    sequences: dict[str, int]

    @classmethod
    def of(cls, superuser: Superuser) -> "Rows":
        """Read everything that is stored."""
        return cls({name: _read(superuser, name) for name in filled(superuser)}, _sequences(superuser))

    def put_back(self, superuser: Superuser) -> None:
        """Replace what is stored by these rows."""
        superuser.execute(EMPTY)
        superuser.execute("SET session_replication_role = replica")
        for name, rows in self.tables.items():
            with superuser.cursor() as cursor, cursor.copy(f'COPY "{name}" FROM STDIN') as into:
                into.write(rows)
        superuser.execute("SET session_replication_role = DEFAULT")
        for name, value in self.sequences.items():
            superuser.execute("SELECT setval(%s, %s)", [name, value])


class Scene(Generic[Value]):
    """What a function makes of a database in which nothing is but the tests' own actions."""

    def __init__(self) -> None:
        self._made: tuple[Rows, Value, list[ActionSpec], float] | None = None

    def lay(self, superuser: Superuser, make: Callable[[], Value]) -> Value:
        """Put back what was made, or make it: anew after a minute, with other actions, or beside what others made."""
        if not set(filled(superuser)) <= set(published.TABLES):
            return make()
        specs = list(registry.specs())
        if self._made is not None:
            rows, value, of, at = self._made
            if time.monotonic() - at < FRESH_SECONDS and published.same(specs, of):
                rows.put_back(superuser)
                return value
        value = make()
        self._made = Rows.of(superuser), value, specs, time.monotonic()
        return value


def filled(superuser: Superuser) -> list[str]:
    """List the tables that have rows."""
    names = [name for (name,) in superuser.execute(TABLES)]
    each = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in names)
    return [name for (name,) in superuser.execute(each.encode())]


def _read(superuser: Superuser, name: str) -> bytes:
    with superuser.cursor() as cursor, cursor.copy(f'COPY "{name}" TO STDOUT') as rows:
        return b"".join(bytes(part) for part in rows)


def _sequences(superuser: Superuser) -> dict[str, int]:
    return dict(superuser.execute(SEQUENCES).fetchall())
