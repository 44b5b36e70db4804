"""What the datastore holds."""

from django.db.models import Q

from actions.sensitive import mask
from dotdo_site.lib.paging import decode, encode
from workflows.datastore import UNEXPIRED, alive
from workflows.models import Entry
from workflows.queries.rows import EntryRow, Page


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
