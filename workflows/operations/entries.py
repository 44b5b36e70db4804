"""Write a datastore entry from outside a workflow, by compare-and-set only."""

import uuid
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from actions.limits import check_value
from actions.problems import Problem
from actions.running import refuse_inside_handler
from audit.recording import record
from dotdo_site.lib import canonical
from workflows.datastore import INSERT, alive
from workflows.models import Entry
from workflows.operations.errors import InputInvalid, VersionConflict

NAMESPACE = uuid.UUID("6f2c1b1e-3d0f-5d55-9c5e-2f6f0a3b7d11")  # of the audit chains of entries
LONGEST_KEY, LONGEST_NAMESPACE = 255, 63


def put_entry(namespace: str, key: str, value: Any, *, expected_version: int, actor: str) -> Entry:
    """Write the entry if it is at `expected_version`; 0 means that it must not exist. Raises VersionConflict,
    InputInvalid.
    """
    refuse_inside_handler("write to the datastore")
    problems = _name_problems(namespace, key) or check_value(value)
    if problems:
        raise InputInvalid(problems)
    with transaction.atomic():
        if not _write(namespace, key, value, expected_version):
            current = alive(namespace, key).values_list("version", flat=True).first()
            raise VersionConflict(current or 0)
        entry = Entry.objects.get(namespace=namespace, key=key)
        data = {"namespace": namespace, "key": key, "version": entry.version, "value": canonical.digest(value)}
        record(chain=chain(namespace, key), kind="entry.written", actor=actor, data=data)
    return entry


def chain(namespace: str, key: str) -> uuid.UUID:
    """Return the audit chain of an entry: by name, so that it survives the entry."""
    return uuid.uuid5(NAMESPACE, f"{namespace}/{key}")


def _write(namespace: str, key: str, value: Any, expected: int) -> bool:
    if expected == 0:
        values = {"namespace": namespace, "key": key, "value": canonical.dumps(value)}
        return bool(INSERT.rows(values))
    rows = alive(namespace, key).filter(version=expected)
    return bool(rows.update(value=value, version=F("version") + 1, updated_at=Now()))


def _name_problems(namespace: str, key: str) -> list[Problem]:
    found = []
    if not 0 < len(namespace) <= LONGEST_NAMESPACE:
        found.append(Problem("/namespace", "length", f"is 1 to {LONGEST_NAMESPACE} characters long"))
    if not 0 < len(key) <= LONGEST_KEY:
        found.append(Problem("/key", "length", f"is 1 to {LONGEST_KEY} characters long"))
    return found
