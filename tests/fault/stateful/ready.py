"""What the stateful test needs around it: its workflows published, its points in place, the rows gone each time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from actions import registry, sync
from tests.fault.stateful.handlers import NAMES
from tests.fault.stateful.machine import Runs
from tests.fault.stateful.programs import PROGRAMS
from tests.fault.stateful.workers import points
from tests.fault.stateful.world import TABLES
from tests.support.documents import publish
from tests.support.emptying import emptying

_EMPTY = emptying(f"IN {(*TABLES, 'worker', 'delivery')!r}")


@contextmanager
def prepare(superuser: "psycopg.Connection[Any]") -> Iterator[None]:
    """Publish, and empty the tables before each example."""
    own = [spec for spec in registry.specs() if spec.name in NAMES]
    sync.sync(own, actor="system")
    for name, program in PROGRAMS.items():
        publish(name, program.text)
    Runs.empty = staticmethod(lambda: _empty(superuser))
    with points():
        yield


def _empty(superuser: "psycopg.Connection[Any]") -> None:
    superuser.execute(_EMPTY)
    superuser.execute("UPDATE schedule SET next_at = now() + interval '1 h'")
