"""Datastore entries, queues and workers."""

from django.db.models import Count, F, Min, Q
from django.db.models.functions import Now

from actions.sensitive import mask
from dotdo_site.lib.paging import decode, encode
from workflows.datastore import UNEXPIRED, alive
from workflows.models import Entry, Step, Worker
from workflows.queries.rows import EntryRow, Page, QueueRow, WorkerRow


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


def queues() -> list[QueueRow]:
    """Return the queues with due steps, most work first."""
    due = Step.objects.filter(state="ready", due_at__lte=Now()).values("queue")
    rows = due.annotate(n=Count("id"), waited=Now() - Min("due_at")).order_by("-n")
    return [QueueRow(name=row["queue"], due=row["n"], oldest_seconds=row["waited"].total_seconds()) for row in rows]


def workers() -> list[WorkerRow]:
    """Return the workers that have not stopped, newest first."""
    rows = Worker.objects.filter(stopped_at__isnull=True).order_by(F("started_at").desc())
    held = dict(Step.objects.filter(state="running").values_list("leased_by", "id"))
    return [
        WorkerRow(
            id=row.id,
            host=row.host,
            pid=row.pid,
            code_version=row.code_version,
            queues=list(row.queues),
            started_at=row.started_at,
            heartbeat_at=row.heartbeat_at,
            step=held.get(row.id),
        )
        for row in rows
    ]


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
