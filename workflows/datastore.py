"""The datastore functions that workflows call. They run in the transaction of the checkpoint that records them."""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from actions.errors import ActionError
from actions.limits import MAX_BYTES, check_value
from dotdo_site.lib import canonical
from workflows.models import Entry
from workflows.sql import Statement

Record = dict[str, Any]
PAGE = 100
# An entry that has expired counts as absent everywhere; its version still goes on, so that no number is used twice.
# Each statement that writes says who does (`dotdo.writer`), which the trigger puts into the history.
UNEXPIRED = Q(expires_at__isnull=True) | Q(expires_at__gt=Now())
INSERT = Statement(
    """
    INSERT INTO entry (namespace, key, value, version, updated_at)
    SELECT :namespace, :key, :value::jsonb, 1, clock_timestamp() FROM set_config('dotdo.writer', :writer, true)
    ON CONFLICT (namespace, key) DO UPDATE
        SET value = EXCLUDED.value, version = entry.version + 1, updated_at = EXCLUDED.updated_at, expires_at = NULL
        WHERE entry.expires_at <= now()
    RETURNING version
    """
)
_WRITE = Statement(
    """
    INSERT INTO entry (namespace, key, value, version, updated_at)
    SELECT :namespace, :key, :value::jsonb, 1, clock_timestamp() FROM set_config('dotdo.writer', :writer, true)
    ON CONFLICT (namespace, key) DO UPDATE
        SET value = EXCLUDED.value, version = entry.version + 1, updated_at = EXCLUDED.updated_at, expires_at = NULL
    RETURNING version
    """
)
REPLACE = Statement(
    """
    UPDATE entry SET value = :value, version = version + 1, updated_at = clock_timestamp()
    FROM set_config('dotdo.writer', :writer, true)
    WHERE namespace = :namespace AND key = :key AND (expires_at IS NULL OR expires_at > now())
        AND version = coalesce(:version::bigint, version)
    RETURNING version
    """
)
_DELETE = Statement(
    """
    DELETE FROM entry USING set_config('dotdo.writer', :writer, true) WHERE namespace = :namespace AND key = :key
    RETURNING value, version, expires_at IS NULL OR expires_at > now()
    """
)
# The sum stops values from leaving the database that together are more than a step may return.
_LIST = Statement(
    """
    SELECT key, version, CASE WHEN size <= :most::bigint THEN value END, size FROM (
        SELECT key, version, value, sum(octet_length(value::text)) OVER (ORDER BY key) AS size FROM (
            SELECT key, version, value FROM entry
            WHERE namespace = :namespace AND starts_with(key, :prefix) AND key > :after
                AND (expires_at IS NULL OR expires_at > now())
            ORDER BY key LIMIT :limit::int) page) sized
    ORDER BY key
    """
)


def run(function: str, arguments: Mapping[str, Any], *, run: uuid.UUID | None = None) -> Record:
    """Execute `datastore.<verb>` for a run and return what it gives. Raises ActionError."""
    writer = f"run:{run}" if run else ""
    return FUNCTIONS[function](arguments.get("namespace", "default"), arguments, writer)


def _get(namespace: str, arguments: Mapping[str, Any], _writer: str) -> Record:
    key = arguments["key"]
    entry = alive(namespace, key).first()
    if entry is None:
        return _record(namespace, key, arguments.get("default"), 0)
    return _record(namespace, key, entry.value, entry.version)


def _set(namespace: str, arguments: Mapping[str, Any], writer: str) -> Record:
    key, value = arguments["key"], arguments["value"]
    version = _WRITE.rows(_stored(namespace, key, value, writer))[0][0]
    return _record(namespace, key, value, version)


def _merge(namespace: str, arguments: Mapping[str, Any], writer: str) -> Record:
    """Apply a JSON Merge Patch (RFC 7396): objects merge member by member, null removes a member."""
    key, patch = arguments["key"], arguments["value"]

    def merged(value: Any) -> Any:
        if not isinstance(value, dict):
            message = f"the entry {namespace}/{key} is not an object, so nothing can be merged in"
            raise ActionError("not_an_object", message)
        return merge_patch(value, patch)

    return _change(namespace, key, merge_patch({}, patch), merged, writer)


def _incr(namespace: str, arguments: Mapping[str, Any], writer: str) -> Record:
    """Add `by` to a number; an entry that is not there counts from `initial`."""
    key, by = arguments["key"], arguments.get("by", 1)

    def added(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ActionError("not_a_number", f"the entry {namespace}/{key} is not a number, so nothing can be added")
        return value + by

    return _change(namespace, key, added(arguments.get("initial", 0)), added, writer)


def _cas(namespace: str, arguments: Mapping[str, Any], writer: str) -> Record:
    """Write `value` if the entry is at `version`; 0 means that it must not be there."""
    key, value, expected = arguments["key"], arguments["value"], arguments["version"]
    values = _stored(namespace, key, value, writer)
    rows = REPLACE.rows({**values, "version": expected}) if expected else INSERT.rows(values)
    if not rows:
        raise _conflict(namespace, key, expected)
    return _record(namespace, key, value, rows[0][0])


def _delete(namespace: str, arguments: Mapping[str, Any], writer: str) -> Record:
    """Remove an entry; return what it was, with version 0 when there was none."""
    key = arguments["key"]
    rows = _DELETE.rows({"namespace": namespace, "key": key, "writer": writer})
    if not rows or not rows[0][2]:
        return _record(namespace, key, None, 0)
    return _record(namespace, key, json.loads(rows[0][0]), rows[0][1])


def _list(namespace: str, arguments: Mapping[str, Any], _writer: str) -> Record:
    """Return entries in the order of their keys; `next` is the `after` of the next page, null after the last."""
    limit = arguments.get("limit", PAGE)
    rows = _LIST.rows(
        {
            "namespace": namespace,
            "prefix": arguments.get("prefix", ""),
            "after": arguments.get("after", ""),
            "limit": limit + 1,
            "most": MAX_BYTES,
        }
    )
    page = rows[:limit]
    found = [{"key": key, "value": json.loads(value or "null"), "version": version} for key, version, value, _ in page]
    result = {"namespace": namespace, "items": found, "next": page[-1][0] if len(rows) > limit else None}
    if (page and page[-1][3] > MAX_BYTES) or check_value(result):
        fitting = sum(size <= MAX_BYTES for *_, size in page)
        message = f"{len(page)} entries of {namespace} are more than {MAX_BYTES} bytes: ask for a smaller `limit`"
        raise ActionError("result_too_large", message, details={"fitting": fitting})
    return result


def alive(namespace: str, key: str) -> QuerySet[Entry]:
    """Return the entry unless it has expired, as a query of none or one."""
    return Entry.objects.filter(UNEXPIRED, namespace=namespace, key=key)


def merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` changed by `patch`, by RFC 7396."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def _change(namespace: str, key: str, fresh: Any, change: Callable[[Any], Any], writer: str) -> Record:
    """Write `fresh` where nothing is, otherwise what `change` makes of the value that is there, under its lock."""
    while True:
        created = INSERT.rows(_stored(namespace, key, fresh, writer))
        if created:
            return _record(namespace, key, fresh, created[0][0])
        entry = alive(namespace, key).select_for_update(no_key=True).first()
        if entry is not None:  # else somebody deleted it in between
            value = change(entry.value)
            rows = REPLACE.rows({**_stored(namespace, key, value, writer), "version": None})
            return _record(namespace, key, value, rows[0][0])


def _stored(namespace: str, key: str, value: Any, writer: str) -> Record:
    problems = check_value(value)  # what is merged or added may have grown
    if problems:
        raise ActionError("value_refused", f"the value of {namespace}/{key} {problems[0].message}")
    return {"namespace": namespace, "key": key, "value": canonical.dumps(value), "writer": writer}


def _conflict(namespace: str, key: str, expected: int) -> ActionError:
    current = alive(namespace, key).values_list("version", flat=True).first() or 0
    wanted = f"at version {expected}" if expected else "absent"
    now = f"at version {current}" if current else "absent"
    message = f"the entry {namespace}/{key} was to be {wanted}, and is {now}: read it again before you write"
    return ActionError("version_conflict", message, retryable=False, details={"version": current})


def _record(namespace: str, key: str, value: Any, version: int) -> Record:
    return {"namespace": namespace, "key": key, "value": value, "version": version}


FUNCTIONS: Mapping[str, Callable[[str, Mapping[str, Any], str], Record]] = {
    "datastore.get": _get,
    "datastore.set": _set,
    "datastore.merge": _merge,
    "datastore.delete": _delete,
    "datastore.incr": _incr,
    "datastore.cas": _cas,
    "datastore.list": _list,
}
