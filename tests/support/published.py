"""The tests' own actions as they were published first: their rows are kept, because publishing is 270 statements."""

from typing import Any

import psycopg

from actions import registry, sync
from actions.registry import ActionSpec

TABLES = ("action", "action_version", "audit_event")
_kept: dict[str, bytes] = {}
_kept_of: list[ActionSpec] = []


def publish(superuser: "psycopg.Connection[Any]") -> None:
    """Publish what is registered; on an empty database from what was kept."""
    registry.discover()
    specs = list(registry.specs())
    if superuser.execute("SELECT 1 FROM audit_event LIMIT 1").fetchone():
        sync.sync(specs, actor="system")
        return None
    if _kept and same(specs, _kept_of):
        return _put_back(superuser)
    sync.sync(specs, actor="system")
    _kept_of[:] = specs
    for table in TABLES:
        with superuser.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT") as rows:
            _kept[table] = b"".join(bytes(part) for part in rows)
    return None


def same(specs: list[ActionSpec], others: list[ActionSpec]) -> bool:
    """Tell whether these are the very same actions."""
    return len(specs) == len(others) and all(a is b for a, b in zip(specs, others, strict=True))


def _put_back(superuser: "psycopg.Connection[Any]") -> None:
    for table in TABLES:
        with superuser.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as rows:
            rows.write(_kept[table])
    superuser.execute("SELECT setval(pg_get_serial_sequence('audit_event', 'id'), max(id)) FROM audit_event")
