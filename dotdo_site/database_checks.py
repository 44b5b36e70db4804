"""Checks against the database that answers: what it is set to decides what our promises are worth.

They run when a cluster or a web server starts and before migrations, with one question each for all settings and for
all rights. Each rule looks at one thing and yields what is wrong with it.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.core.management.base import SystemCheckError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection

from dotdo_site import database_limits
from dotdo_site.lib.database_errors import is_outage
from dotdo_site.pooling import is_pooled
from dotdo_site.postgres_settings import LIMITS

log = logging.getLogger(__name__)
OLDEST, NEWEST = 14, 18
LONGEST_IDLE_MS = 300_000
SHORTEST_TRANSACTION_MS = 60_000
FOR_THE_CLUSTER = 7  # connections beside two of each worker: broker, listener, watchdog, housekeeper (3), one to look
ASKED = (
    *LIMITS,
    "default_transaction_isolation",
    "fsync",
    "full_page_writes",
    "max_connections",
    "reserved_connections",
    "superuser_reserved_connections",
    "synchronous_commit",
    "synchronous_standby_names",
)
RIGHTS = """
SELECT current_user, current_database(), current_setting('server_version_num')::int / 10000,
    pg_encoding_to_char(d.encoding),
    coalesce(has_table_privilege(to_regclass('audit_event'), 'UPDATE'), false),
    CASE WHEN r.rolconnlimit < 0 THEN NULL ELSE r.rolconnlimit END,
    CASE WHEN d.datconnlimit < 0 THEN NULL ELSE d.datconnlimit END
FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user
"""


@dataclass(frozen=True, slots=True)
class Database:
    """What the database says about itself; `set_to` are its settings in their own units, timeouts in milliseconds."""

    set_to: Mapping[str, str]
    role: str
    name: str
    major: int
    encoding: str
    may_change_audit: bool
    limits: tuple[int, ...]
    pooled: bool

    @property
    def is_of_the_application(self) -> bool:
        """Tell whether the role that is connected serves requests and runs handlers, or only migrates."""
        return settings.APPLICATION_ROLE in {"", self.role}


@register(Tags.database)
def check_the_database_that_answers(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check the settings of the server and of the role that is connected."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    try:
        found = ask()
    except DatabaseError as error:
        if not is_outage(error):
            raise
        text = f"The database could not be asked how it is set: {str(error).strip()}"
        return [Warning(text, hint="Nothing was checked. /readyz tells when it answers.", id="dotdo.W070")]
    return [*_server(found), *_promises(found), *_room(found), *_session(found)]


def at_start() -> None:
    """Set the limits nobody decided on and check everything, for the web server. Raises SystemCheckError."""
    with suppress(DatabaseError):
        database_limits.keep_own()
    found = check_the_database_that_answers([DEFAULT_DB_ALIAS])
    connection.close()  # the process that forks must not hold one
    for message in found:
        log.log(message.level, "%s", message)
    if any(message.level >= checks.ERROR for message in found):
        raise SystemCheckError("\n".join(map(str, found)))


def ask() -> Database:
    """Ask the database how it is set. Raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(ASKED)])
        set_to = dict(cursor.fetchall())
        cursor.execute(RIGHTS)
        ((role, name, major, encoding, may_change_audit, *limits),) = cursor.fetchall()
    room = tuple(limit for limit in limits if limit is not None)
    pooled = is_pooled(connection.connection)
    return Database(set_to, role, name, major, encoding, may_change_audit, room, pooled)


def _server(found: Database) -> Iterator[CheckMessage]:
    if found.major < OLDEST:
        hint = f"Upgrade it to {OLDEST} or newer; {NEWEST} is what dotdo brings."
        yield Error(f"The server is PostgreSQL {found.major}, which is too old.", hint=hint, id="dotdo.E071")
    if found.major > NEWEST:
        hint = f"dotdo is tested on {OLDEST} to {NEWEST}. Look for a newer dotdo."
        yield Warning(f"The server is PostgreSQL {found.major}, which dotdo does not know.", hint=hint, id="dotdo.W071")
    if found.encoding != "UTF8":
        hint = f"Create it anew: CREATE DATABASE {found.name} OWNER ... ENCODING 'UTF8' TEMPLATE template0;"
        yield Error(f"The database is encoded in {found.encoding}, not in UTF8.", hint=hint, id="dotdo.E072")


def _promises(found: Database) -> Iterator[CheckMessage]:
    committed = found.set_to["synchronous_commit"]
    if committed == "off":
        hint = f"Keep synchronous_commit=on: ALTER ROLE {found.role} SET synchronous_commit = 'on';"
        text = "synchronous_commit is off: a start that was answered can be lost when the server crashes."
        yield Error(text, hint=hint, id="dotdo.E073")
    if committed == "local" and found.set_to["synchronous_standby_names"]:
        hint = f"Wait for the standby: ALTER ROLE {found.role} SET synchronous_commit = 'on';"
        text = "synchronous_commit is local: a failover to the standby can lose starts that were answered."
        yield Warning(text, hint=hint, id="dotdo.W073")
    for name in ("fsync", "full_page_writes"):
        if found.set_to[name] == "off":
            text = f"{name} is off: a power cut can destroy the whole database."
            yield Warning(text, hint=f"Set {name} = on in postgresql.conf.", id="dotdo.W074")
    if found.may_change_audit and found.is_of_the_application:
        hint = "Let another role own the tables: docs/operating.md, The database."
        text = f"The role {found.role} may change the audit trail: only triggers guard it."
        yield Warning(text, hint=hint, id="dotdo.W075")


def _room(found: Database) -> Iterator[CheckMessage]:
    kept = sum(int(found.set_to.get(name, 0)) for name in ("reserved_connections", "superuser_reserved_connections"))
    room = min(int(found.set_to["max_connections"]) - kept, *found.limits, 1_000_000)
    web = int(os.environ.get("DOTDO_WEB_WORKERS") or 2) * int(os.environ.get("DOTDO_WEB_THREADS") or 4)
    needed = web + 2 * settings.WORKERS + FOR_THE_CLUSTER
    if needed > room and not found.pooled:
        hint = f"Allow {needed} for each host, lower DOTDO_WORKERS and DOTDO_WEB_THREADS, or put PgBouncer in between."
        text = f"The server has room for {room} connections, and this host alone may need {needed}."
        yield Warning(text, hint=hint, id="dotdo.W076")
    if found.pooled and not settings.LISTEN_URL:
        hint = "Set DOTDO_LISTEN_URL to the server itself, past the pooler."
        text = f"A pooler is in between: due work is noticed by polling, each {settings.POLL_SECONDS:g} s."
        yield Warning(text, hint=hint, id="dotdo.W077")


def _session(found: Database) -> Iterator[CheckMessage]:
    if not found.is_of_the_application:
        return
    isolation = found.set_to["default_transaction_isolation"]
    if isolation != "read committed":
        hint = f"ALTER ROLE {found.role} SET default_transaction_isolation = 'read committed';"
        text = f"Transactions are {isolation}, but dotdo reads again what it has locked."
        yield Error(text, hint=hint, id="dotdo.E078")
    for name, limit in LIMITS.items():
        if found.set_to.get(name) == "0" and name not in database_limits.fresh:
            kind, number = (Error, "E079") if name == "idle_in_transaction_session_timeout" else (Warning, "W079")
            hint = database_limits.by_hand(found.role, found.name, [name])
            yield kind(f"{name} is off: {limit.without}.", hint=hint, id=f"dotdo.{number}")
    idle = int(found.set_to["idle_in_transaction_session_timeout"])
    if idle > LONGEST_IDLE_MS:
        hint = database_limits.by_hand(found.role, found.name, ["idle_in_transaction_session_timeout"])
        text = f"idle_in_transaction_session_timeout is {idle // 1_000} s: a frozen worker stops its run for so long."
        yield Warning(text, hint=hint, id="dotdo.W079")
    if 0 < int(found.set_to.get("transaction_timeout", 0)) < SHORTEST_TRANSACTION_MS:
        hint = database_limits.by_hand(found.role, found.name, ["transaction_timeout"])
        text = "transaction_timeout cuts transactional handlers off, which may take 35 s."
        yield Warning(text, hint=hint, id="dotdo.W080")
