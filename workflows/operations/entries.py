"""Write or delete a datastore entry from outside a workflow, by compare-and-set only."""

import uuid
from typing import Any

from django.db import transaction

from actions.limits import check_value
from actions.problems import Problem
from actions.running import refuse_inside_handler
from audit.recording import record
from dotdo_site.lib import canonical
from workflows.datastore import INSERT, REPLACE, alive
from workflows.models import Entry, EntryVersion
from workflows.operations.errors import InputInvalid, VersionConflict
from workflows.sql import Statement

NAMESPACE = uuid.UUID("6f2c1b1e-3d0f-5d55-9c5e-2f6f0a3b7d11")  # of the audit chains of entries
LONGEST_KEY, LONGEST_NAMESPACE = 255, 63


_DELETE = Statement(
    """
    DELETE FROM entry USING set_config('dotdo.writer', :writer, true)
    WHERE namespace = :namespace AND key = :key AND version = :version AND (expires_at IS NULL OR expires_at > now())
    RETURNING version
    """
)


def put_entry(namespace: str, key: str, value: Any, *, expected_version: int, actor: str, reason: str = "") -> Entry:
    """Write the entry if it is at `expected_version`; 0 means that it must not exist. Raises VersionConflict,
    InputInvalid.
    """
    refuse_inside_handler("write to the datastore")
    problems = _name_problems(namespace, key) or check_value(value)
    if problems:
        raise InputInvalid(problems)
    with transaction.atomic():
        if not _write(namespace, key, value, expected_version, actor):
            raise _conflict(namespace, key)
        entry = Entry.objects.get(namespace=namespace, key=key)
        data = {"namespace": namespace, "key": key, "version": entry.version, "value": canonical.digest(value)}
        record(chain=chain(namespace, key), kind="entry.written", actor=actor, reason=reason, data=data)
    return entry


def delete_entry(
    namespace: str, key: str, *, expected_version: int, actor: str, reason: str, with_history: bool = False
) -> None:
    """Delete the entry if it is at `expected_version`, and with its history if asked. Raises VersionConflict."""
    refuse_inside_handler("delete from the datastore")
    with transaction.atomic():
        values = {"namespace": namespace, "key": key, "version": expected_version, "writer": actor}
        if not _DELETE.rows(values):
            raise _conflict(namespace, key)
        if with_history:
            EntryVersion.objects.filter(namespace=namespace, key=key).delete()
        data = {"namespace": namespace, "key": key, "version": expected_version, "history": with_history}
        record(chain=chain(namespace, key), kind="entry.deleted", actor=actor, reason=reason, data=data)


def chain(namespace: str, key: str) -> uuid.UUID:
    """Return the audit chain of an entry: by name, so that it survives the entry."""
    return uuid.uuid5(NAMESPACE, f"{namespace}/{key}")


def _write(namespace: str, key: str, value: Any, expected: int, actor: str) -> bool:
    values = {"namespace": namespace, "key": key, "value": canonical.dumps(value), "writer": actor}
    return bool(REPLACE.rows({**values, "version": expected}) if expected else INSERT.rows(values))


def _conflict(namespace: str, key: str) -> VersionConflict:
    current = alive(namespace, key).values_list("version", flat=True).first()
    return VersionConflict(current or 0)


def _name_problems(namespace: str, key: str) -> list[Problem]:
    found = []
    if not 0 < len(namespace) <= LONGEST_NAMESPACE:
        found.append(Problem("/namespace", "length", f"is 1 to {LONGEST_NAMESPACE} characters long"))
    if not 0 < len(key) <= LONGEST_KEY:
        found.append(Problem("/key", "length", f"is 1 to {LONGEST_KEY} characters long"))
    return found
