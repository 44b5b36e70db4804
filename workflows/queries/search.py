"""Find something by what people know of it: an id or a key as a whole, or how a name begins.

Everything here follows an index: what would have to look at every row is not asked.
"""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from actions.models import Action
from workflows.datastore import UNEXPIRED
from workflows.models import Entry, Event, Run, Workflow
from workflows.queries.filtering import in_order
from workflows.queries.patience import TooSlow, within
from workflows.queries.rows import RunFilter, RunRow
from workflows.queries.runs import listed, run_rows

SHOWN = 10
SECONDS = 1.5
SHORTEST_PART = 2
RUNS, WORKFLOWS, ACTIONS, ENTRIES, EVENTS = GROUPS = ("runs", "workflows", "actions", "entries", "events")


@dataclass(frozen=True, slots=True)
class Named:
    """A definition, by name."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the datastore."""

    namespace: str
    key: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, at most ten of a kind; `more` names the kinds with more, `slow` those that were given up."""

    runs: list[RunRow] = field(default_factory=list)
    tagged: list[RunRow] = field(default_factory=list)
    workflows: list[Named] = field(default_factory=list)
    actions: list[Named] = field(default_factory=list)
    entries: list[Place] = field(default_factory=list)
    more: frozenset[str] = frozenset()
    slow: frozenset[str] = frozenset()

    @property
    def nothing(self) -> bool:
        """Tell whether nothing was found."""
        return not (self.runs or self.tagged or self.workflows or self.actions or self.entries)


def exactly(text: str, sees: Collection[str]) -> tuple[str, uuid.UUID | str] | None:
    """Return the kind and the id or name of the one thing that is called just this, among the kinds that one sees.

    A key or an event id that several have is none.
    """
    for group, kind, look in _EXACT:
        if group in sees and (name := look(text)):
            return kind, name
    return None


def search(text: str, sees: Collection[str]) -> Found:
    """Return what begins with a text, newest first or by name, of the kinds that one sees."""
    parts: dict[str, list[Any]] = {}
    more: set[str] = set()
    slow: set[str] = set()
    for name, group, ask in _questions(text):
        if group not in sees:
            continue
        try:
            with within(SECONDS):
                found = list(ask()[: SHOWN + 1])
                parts[name] = run_rows(found[:SHOWN]) if group == RUNS else [_shown(one) for one in found[:SHOWN]]
                if len(found) > SHOWN:
                    more.add(name)
        except TooSlow:
            slow.add(name)
    return Found(**parts, more=frozenset(more), slow=frozenset(slow))


def _questions(text: str) -> list[tuple[str, str, Callable[[], QuerySet[Any]]]]:
    """Return (field of the answer, kind, what asks for the rows) of each part; runs with just this tag are apart."""
    entries = Entry.objects.filter(UNEXPIRED, key__startswith=text)
    return [
        ("runs", RUNS, lambda: listed(in_order(RunFilter(q=text))).order_by("-id")),
        ("tagged", RUNS, lambda: listed(in_order(RunFilter(tag=text))).order_by("-id")),
        ("workflows", WORKFLOWS, lambda: _named(Workflow.objects.all(), text)),
        ("actions", ACTIONS, lambda: _named(Action.objects.all(), text)),
        ("entries", ENTRIES, lambda: entries.only("namespace", "key").order_by("key", "namespace")),
    ]


def _named(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Look inside names and titles of definitions, of which there are few; a single sign only at the beginning."""
    how = "icontains" if len(text) >= SHORTEST_PART else "istartswith"
    by_name, by_title = rows.filter(**{f"name__{how}": text}), rows.filter(**{f"title__{how}": text})
    return (by_name | by_title).only("name", "title").order_by("name")


def _shown(row: object) -> Named | Place:
    if isinstance(row, Entry):
        return Place(row.namespace, row.key)
    assert isinstance(row, Workflow | Action)  # noqa: S101 - `_questions` asks for nothing else
    return Named(row.name, row.title)


def _by_id(rows: QuerySet[Any], text: str) -> uuid.UUID | None:
    try:
        number = uuid.UUID(text)
    except ValueError:
        return None
    return number if rows.filter(pk=number).exists() else None


def _by_name(rows: QuerySet[Any], text: str) -> str:
    return text if rows.filter(name=text).exists() else ""


def _only(rows: QuerySet[Any]) -> uuid.UUID | None:
    ids = list(rows.order_by().values_list("pk", flat=True)[:2])
    return ids[0] if len(ids) == 1 else None


_EXACT: tuple[tuple[str, str, Callable[[str], uuid.UUID | str | None]], ...] = (
    (RUNS, "run", lambda text: _by_id(Run.objects.all(), text)),
    (EVENTS, "event", lambda text: _by_id(Event.objects.all(), text)),
    (WORKFLOWS, "workflow", lambda text: _by_name(Workflow.objects.all(), text)),
    (ACTIONS, "action", lambda text: _by_name(Action.objects.all(), text)),
    (RUNS, "run", lambda text: _only(Run.objects.filter(key=text).exclude(key=""))),
    (EVENTS, "event", lambda text: _only(Event.objects.filter(event_id=text))),
)
