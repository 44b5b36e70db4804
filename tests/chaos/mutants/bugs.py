"""The planted bugs: each replaces a statement or a function of the product by one that lacks a guard."""

import copy
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.db import transaction

from workflows import calling, claim, closing, execution, wake
from workflows.checkpoint import parts, shared, statement
from workflows.operations import events, new_runs, start
from workflows.sql import Statement

_FENCE = re.compile(r"(?:\bs\.)?\bclaim = (\$[0-9]+)")
_KEEP_FOR_LISTENERS = """
    INSERT INTO message (run_id, kind, event_id, created_at)
    SELECT :run::uuid, 'event', :event::uuid, clock_timestamp() WHERE EXISTS (
        SELECT 1 FROM step WHERE run_id = :run::uuid AND kind = 'listen' AND state IN ('waiting', 'ready', 'running'))
    """


class Change(NamedTuple):
    """What replaces an attribute of a module."""

    owner: Any
    name: str
    value: Any


class Gone(Exception):
    """The code that a mutant leaves out is not there any more: the mutant has to be written anew."""


def plant(name: str) -> list[Change]:
    """Put a bug into this process; return what it was before."""
    changes = BUGS[name]()
    before = [Change(change.owner, change.name, getattr(change.owner, change.name)) for change in changes]
    _apply(changes)
    return before


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Put a bug into this process until the block ends."""
    before = plant(name)
    try:
        yield
    finally:
        _apply(before)


def _apply(changes: list[Change]) -> None:
    for change in changes:
        setattr(change.owner, change.name, change.value)
    statement._statement.cache_clear()
    shared.statement.cache_clear()


def _no_fence() -> list[Change]:
    """Whoever works on a step may write it, whichever claim it has."""
    return [
        Change(parts, "_GUARD", _without(parts._GUARD, " AND s.claim = :claim")),
        Change(shared, "_GUARD", _without(shared._GUARD, " AND s.claim = i.p_claim")),
        Change(closing, "_CLOSE", _any_claim(closing._CLOSE)),
        Change(execution, "_FENCE", _any_claim(execution._FENCE)),
        Change(claim, "_RELOAD", _any_claim(claim._RELOAD)),
    ]


def _id_only() -> list[Change]:
    """A checkpoint is guarded by the ids of its rows and nothing else."""
    guard = _without(parts._GUARD, " AND s.claim = :claim AND s.state = 'running'")
    guard = _without(guard, " AND b.revision = :revision")
    return [Change(parts, "_GUARD", _without(guard, " AND r.state NOT IN ('succeeded', 'cancelled')"))]


def _no_key() -> list[Change]:
    """A start does not look whether its key was used."""
    known = {each: _any_key(one) for each, one in new_runs._STATEMENTS.items() if "keyed" in each}
    forgets = Change(start, "known", lambda *_: None)
    return [Change(new_runs, "_STATEMENTS", new_runs._STATEMENTS | known), forgets]


def _outside() -> list[Change]:
    """The effect of a transactional handler is committed before its step is."""

    def call(job: Any, lessee: Any) -> Any:
        with transaction.atomic():
            execution.lock(job)
            attempted = execution.attempt_in_transaction(job)
        with transaction.atomic():
            execution.lock(job)
            return calling.conclude(job, attempted.happened, lessee)

    return [Change(calling, "_call_in_transaction", call)]


def _lost_event() -> list[Change]:
    """An event is kept only where somebody listens at this moment."""
    return [Change(events, "_KEEP", Statement(_KEEP_FOR_LISTENERS))]


def _lost_wake() -> list[Change]:
    """An event is kept, and whoever waits for it is not told."""
    return [Change(events, "wake", SimpleNamespace(steps=list))]


def _racy_park() -> list[Change]:
    """A step that parks does not look whether it was woken meanwhile."""
    if "s.wake > :wake" not in parts.DONE_AND_MOVED:
        raise Gone("s.wake > :wake")
    return [Change(parts, "DONE_AND_MOVED", parts.DONE_AND_MOVED.replace("s.wake > :wake", "false"))]


def _no_notify() -> list[Change]:
    """Nobody tells the workers that something is due."""
    return [Change(wake, "_notify", lambda: None)]


def _without(text: str, part: str) -> str:
    if part not in text:
        raise Gone(part)
    return text.replace(part, "")


def _any_claim(guarded: Statement) -> Statement:
    """Return the statement with a condition in place of its fence that every claim fulfils."""
    changed = copy.copy(guarded)
    changed.text, found = _FENCE.subn(r"\1::bigint IS NOT NULL", guarded.text)
    if not found:
        raise Gone("the fence")
    return changed


def _any_key(keyed: Statement) -> Statement:
    """Return the statement that starts a run as one that makes it whether its key is known or not."""
    changed = copy.copy(keyed)
    for guard, always in (("new.key <> ''", "false"), ("a JOIN k ON", "a LEFT JOIN k ON")):
        if guard not in keyed.text:
            raise Gone(guard)
        changed.text = changed.text.replace(guard, always)
    return changed


BUGS: dict[str, Callable[[], list[Change]]] = {
    "no-fence": _no_fence,
    "id-only": _id_only,
    "no-key": _no_key,
    "effect-outside": _outside,
    "lost-event": _lost_event,
    "lost-wake": _lost_wake,
    "racy-park": _racy_park,
    "no-notify": _no_notify,
}
