"""How tests empty the database: only what has rows, because a TRUNCATE of all tables takes a quarter of a second."""

from typing import Any

import psycopg

from dotdo_site.access import roles

Superuser = psycopg.Connection[tuple[Any, ...]]
KEPT = ("django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions")
MANY = 2_000  # rows, from which on a table is truncated: what is deleted stays in the files for a while


def emptying(condition: str) -> str:
    """Return the statement that empties the tables for which the condition on `tablename` holds."""
    return f"""
SET session_replication_role = replica;
DO $$
DECLARE name text; found bigint;
BEGIN
    FOR name IN SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename {condition} LOOP
        EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %s LIMIT {MANY}) found', name) INTO found;
        IF found >= {MANY} THEN EXECUTE 'TRUNCATE ' || name || ' CASCADE';
        ELSIF found > 0 THEN EXECUTE 'DELETE FROM ' || name; END IF;
    END LOOP;
END $$;
SET session_replication_role = DEFAULT;
"""


_OF_KEPT = tuple(f"{name}_id_seq" for name in KEPT)
RESTART = f"""
SELECT setval(format('%I.%I', schemaname, sequencename), start_value, false) FROM pg_sequences
WHERE schemaname = 'public' AND last_value IS NOT NULL AND sequencename NOT IN {_OF_KEPT!r};
"""
_OTHERS = f"FROM auth_group WHERE name NOT IN {tuple(roles.ROLES)!r}"
_GROUPS = f"""
DELETE FROM auth_group_permissions WHERE group_id IN (SELECT id {_OTHERS});
DELETE {_OTHERS};
"""
EMPTY = emptying(f"NOT IN {KEPT!r}") + _GROUPS + RESTART


class Emptier:
    """A connection that is kept: a new one takes ten times as long to look at 65 tables as one that knows them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._kept = self._connect()

    def empty(self) -> Superuser:
        """Empty the tables; return the superuser's connection, a new one where a test has ended the one before."""
        try:
            self._kept.execute(EMPTY)
        except psycopg.OperationalError:
            self._kept = self._connect()
            self._kept.execute(EMPTY)
        return self._kept

    def close(self) -> None:
        """End the connection."""
        self._kept.close()

    def _connect(self) -> Superuser:
        return psycopg.connect(self._url, dbname="dotdo", autocommit=True)
