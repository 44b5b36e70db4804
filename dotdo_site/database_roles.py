"""What the application role may do. It owns nothing: it can neither drop a trigger nor change what was audited."""

from typing import Any

from django.conf import settings
from django.db import connection, transaction
from psycopg import sql

READ_AND_APPEND = ("audit_event", "audit_seal", "audit_sealed_head")
ONLY_READ = ("audit_tombstone",)
# Runs as the owner of the tables; a restore of a backup gives it back to everybody.
PRUNE = sql.SQL("audit_prune(uuid[], timestamptz, uuid, text)")


def grant(**_: Any) -> None:
    """After migrations that ran as another role, give the application role what it needs, and no more."""
    role = settings.APPLICATION_ROLE
    if not role or role == connection.settings_dict["USER"]:
        return
    name = sql.Identifier(role)
    statements = [
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name),
        sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(name),
        sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(name),
        *(
            sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {} FROM {}").format(sql.Identifier(table), name)
            for table in (*READ_AND_APPEND, *ONLY_READ)
        ),
        *(sql.SQL("REVOKE INSERT ON {} FROM {}").format(sql.Identifier(table), name) for table in ONLY_READ),
        sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(PRUNE),
        sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(PRUNE, name),
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.as_string(cursor.connection))
