"""How long sessions of the application may keep others waiting: defaults of its role, which hold behind poolers too.

A role may set its own defaults, but not another role's. So the application sets those that nobody has decided on when
it starts; whoever decided is left alone, and the checks say what is wrong with the decision.
"""

import logging

from django.conf import settings
from django.db import DatabaseError, connection
from psycopg import sql

from dotdo_site.postgres_settings import LIMITS

log = logging.getLogger(__name__)


UNDECIDED = """
SELECT name, current_database() FROM pg_settings WHERE name = ANY(%s) AND setting = '0'
AND source NOT IN ('database', 'user', 'database user', 'client', 'session') AND %s IN ('', current_user)
"""


fresh: set[str] = set()  # what was set a moment ago: behind a pooler, sessions that are older may still lack it


def keep_own() -> None:
    """Give the application's role, if it is connected, the limits nobody has decided on, from its next session on."""
    with connection.cursor() as cursor:
        cursor.execute(UNDECIDED, [list(LIMITS), settings.APPLICATION_ROLE])
        missing = cursor.fetchall()
        for name, database in missing:
            try:
                cursor.execute(_statement(name, database))
            except DatabaseError as error:  # another process of ours does the same at this moment
                log.info("%s was not set: %s", name, error)
    if missing:
        fresh.update(name for name, _ in missing)
        connection.close()


def by_hand(role: str, database: str, names: list[str]) -> str:
    """Return what an administrator would type to give a role these limits."""
    return " ".join(f"ALTER ROLE {role} IN DATABASE {database} SET {name} = '{LIMITS[name].value}';" for name in names)


def _statement(name: str, database: str) -> str:
    text = sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET {} = {}")
    return text.format(sql.Identifier(database), sql.Identifier(name), sql.Literal(LIMITS[name].value)).as_string()
