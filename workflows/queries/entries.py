"""What the datastore holds, and what it held before."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from actions.sensitive import mask
from dotdo_site.lib.paging import decode, encode
from workflows.datastore import UNEXPIRED, alive
from workflows.models import Entry, EntryVersion
from workflows.queries import keyset
from workflows.queries.rows import EntryRow, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionOfEntry:
    """What an entry held from a moment on, sensitive fields masked; `run` is the one that wrote it, if one did."""

    id: int
    version: int
    value: Any
    deleted: bool
    written_at: datetime
    writer: str
    run: uuid.UUID | None


def entries(
    namespace: str | None = None,
    prefix: str = "",
    *,
    after: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> Page[EntryRow]:
    """Return one page of entries by namespace and key. Raises BadCursor."""
    rows = Entry.objects.filter(UNEXPIRED, key__startswith=prefix)
    if namespace is not None:
        rows = rows.filter(namespace=namespace)
    if before:
        place, name = decode(before, str, str)
        rows = rows.filter(Q(namespace__lt=place) | Q(namespace=place, key__lt=name))
        found = list(rows.order_by("-namespace", "-key")[: limit + 1])
        more, found = len(found) > limit, found[:limit][::-1]
        return Page([_entry_row(entry) for entry in found], _cursor(found, -1), _cursor(found, 0) if more else None)
    if after:
        place, name = decode(after, str, str)
        rows = rows.filter(Q(namespace__gt=place) | Q(namespace=place, key__gt=name))
    found = list(rows.order_by("namespace", "key")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    first = _cursor(found, 0) if after else None
    return Page([_entry_row(entry) for entry in found], _cursor(found, -1) if more else None, first)


def entry(namespace: str, key: str) -> EntryRow | None:
    """Return one entry, or None."""
    found = alive(namespace, key).first()
    return None if found is None else _entry_row(found)


def entry_history(
    namespace: str, key: str, *, after: str | None = None, before: str | None = None, limit: int = 50
) -> Page[VersionOfEntry]:
    """Return one page of what an entry held, the newest first. Raises BadCursor."""
    rows = EntryVersion.objects.filter(namespace=namespace, key=key)
    found = keyset.newest_first(rows, int, after=after, before=before, limit=limit)
    return found.page([_version(row) for row in found.rows])


def entry_version(namespace: str, key: str, number: int) -> VersionOfEntry | None:
    """Return one version out of the history of an entry, or None."""
    row = EntryVersion.objects.filter(namespace=namespace, key=key, pk=number).first()
    return None if row is None else _version(row)


def entry_version_before(namespace: str, key: str, number: int) -> VersionOfEntry | None:
    """Return the version before one, or None."""
    row = EntryVersion.objects.filter(namespace=namespace, key=key, pk__lt=number).order_by("-pk").first()
    return None if row is None else _version(row)


def _version(row: EntryVersion) -> VersionOfEntry:
    kind, _, rest = row.writer.partition(":")
    return VersionOfEntry(
        id=row.pk,
        version=row.version,
        value=mask({}, row.value),
        deleted=row.deleted,
        written_at=row.written_at,
        writer=row.writer,
        run=uuid.UUID(rest) if kind == "run" else None,
    )


def _entry_row(found: Entry) -> EntryRow:
    return EntryRow(
        namespace=found.namespace,
        key=found.key,
        value=mask({}, found.value),
        version=found.version,
        updated_at=found.updated_at,
    )


def _cursor(found: list[Entry], index: int) -> str | None:
    return encode(found[index].namespace, found[index].key) if found else None
