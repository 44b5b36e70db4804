"""Build an index beside the traffic, and again when an attempt before was cut off.

`CREATE INDEX CONCURRENTLY` is no transaction: what ends it midway leaves an index that is invalid, and in the way.
"""

import logging
import time
from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
VALID = """
SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = to_regclass(%s) AND c.relname = %s
"""
BUILDING = """
SELECT pid FROM pg_stat_progress_create_index
WHERE datname = current_database() AND relid = to_regclass(%s) AND pid <> pg_backend_pid()
"""


class BuildIndexConcurrently(AddIndexConcurrently):
    """Add an index without blocking writers; one that is there already stays, a broken one is built anew."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Wait for builds that are under way, drop the index if it is invalid, and build it if it is missing."""
        self._ensure_not_in_transaction(schema_editor)
        if not schema_editor.collect_sql:
            model = to_state.apps.get_model(app_label, self.model_name)
            table = schema_editor.quote_name(model._meta.db_table)  # noqa: SLF001 - Django's public name for it
            _wait_for_builds(schema_editor, table)
            is_valid = _is_valid(schema_editor, table, self.index.name)
            if is_valid:
                return
            if is_valid is False:
                schema_editor.remove_index(model, self.index, concurrently=True)
        super().database_forwards(app_label, schema_editor, from_state, to_state)


def _wait_for_builds(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Let others end: the server goes on with a build whose client was killed, and two of one table may deadlock."""
    waiting_for = None
    with editor.connection.cursor() as cursor:
        while True:
            cursor.execute(BUILDING, [table])
            row = cursor.fetchone()
            if not row:
                return
            if row != waiting_for:
                log.warning("Waiting for process %d, which builds an index on %s.", row[0], table)
            waiting_for = row
            time.sleep(LOOK_SECONDS)


def _is_valid(editor: BaseDatabaseSchemaEditor, table: str, name: str) -> bool | None:
    """Tell whether an index may be used; None when it does not exist."""
    with editor.connection.cursor() as cursor:
        cursor.execute(VALID, [table, name])
        row = cursor.fetchone()
    return row[0] if row else None
