"""The datastore functions that workflows call. They run in the transaction of the checkpoint that records them."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from actions.errors import ActionError
from actions.limits import check_value
from dotdo_site.lib import canonical
from workflows.models import Entry
from workflows.sql import Statement

Record = dict[str, Any]
INSERT = Statement(
    """
    INSERT INTO entry (namespace, key, value, version, updated_at)
    VALUES (:namespace, :key, :value, 1, clock_timestamp())
    ON CONFLICT (namespace, key) DO NOTHING RETURNING version
    """
)
_WRITE = Statement(
    """
    INSERT INTO entry (namespace, key, value, version, updated_at)
    VALUES (:namespace, :key, :value, 1, clock_timestamp())
    ON CONFLICT (namespace, key) DO UPDATE
        SET value = EXCLUDED.value, version = entry.version + 1, updated_at = EXCLUDED.updated_at
    RETURNING version
    """
)


def run(function: str, arguments: Mapping[str, Any]) -> Record:
    """Execute `datastore.<verb>`; return `{namespace, key, value, version}`. Raises ActionError."""
    namespace = arguments.get("namespace", "default")
    return FUNCTIONS[function](namespace, arguments["key"], arguments)


def _get(namespace: str, key: str, arguments: Mapping[str, Any]) -> Record:
    alive = Q(expires_at__isnull=True) | Q(expires_at__gt=Now())
    entry = Entry.objects.filter(alive, namespace=namespace, key=key).first()
    if entry is None:
        return _record(namespace, key, arguments.get("default"), 0)
    return _record(namespace, key, entry.value, entry.version)


def _set(namespace: str, key: str, arguments: Mapping[str, Any]) -> Record:
    value = arguments["value"]
    problems = check_value(value)  # what is merged may have grown
    if problems:
        raise ActionError("value_refused", f"the value of {namespace}/{key} {problems[0].message}")
    version = _WRITE.rows({"namespace": namespace, "key": key, "value": canonical.dumps(value)})[0][0]
    return _record(namespace, key, value, version)


def _merge(namespace: str, key: str, arguments: Mapping[str, Any]) -> Record:
    """Apply a JSON Merge Patch (RFC 7396): objects merge member by member, null removes a member."""
    patch = arguments["value"]
    fresh = merge_patch({}, patch)
    if INSERT.rows({"namespace": namespace, "key": key, "value": canonical.dumps(fresh)}):
        return _record(namespace, key, fresh, 1)
    entry = Entry.objects.select_for_update(no_key=True).get(namespace=namespace, key=key)
    if not isinstance(entry.value, dict):
        raise ActionError("not_an_object", f"the entry {namespace}/{key} is not an object, so nothing can be merged in")
    return _set(namespace, key, {"value": merge_patch(entry.value, patch)})


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


def _record(namespace: str, key: str, value: Any, version: int) -> Record:
    return {"namespace": namespace, "key": key, "value": value, "version": version}


FUNCTIONS: Mapping[str, Callable[[str, str, Mapping[str, Any]], Record]] = {
    "datastore.get": _get,
    "datastore.set": _set,
    "datastore.merge": _merge,
}
