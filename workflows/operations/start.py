"""Start a run: validate, then insert run, branch, first step, key and audit link in one statement and one commit."""

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from actions.problems import Problem
from actions.running import refuse_inside_handler
from workflows.models import Run, Workflow
from workflows.operations.differences import differences
from workflows.operations.errors import InputInvalid, KeyConflict, KeyInvalid, TooDeep
from workflows.operations.lookup import REMEMBERED, Definition, find, last_found
from workflows.operations.new_runs import NOWHERE, Begun, Known, Origin, begun, known, record, request_digest, row_of
from workflows.payloads import digests, load, resolve

KEY = re.compile(r"[\x21-\x7e]{1,255}")
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Started:
    """The run that answers the request, and whether this request made it; `begun` is that run as it was made."""

    run_id: uuid.UUID
    created: bool
    begun: Callable[[], Begun] | None = field(default=None, repr=False, compare=False)


class _Seen(dict[tuple[str, str], None]):
    """The keys that this process was given last: one that comes again is looked up, which is cheaper than to start."""

    def holds(self, scope: str, key: str) -> bool:
        """Tell whether a key came lately. It may be unknown to the database all the same."""
        return (scope, key) in self

    def add(self, scope: str, key: str) -> None:
        """Remember a key; when there are too many, all others are forgotten."""
        if len(self) >= REMEMBERED:
            self.clear()
        self[scope, key] = None


_seen = _Seen()


def start_workflow(name: str, input: Any, **options: Any) -> Started:  # noqa: A002 - the word for it
    """Start a workflow; see `_start` for the options and errors."""
    return _start("workflow", name, input, **options)


def start_action(name: str, input: Any, **options: Any) -> Started:  # noqa: A002 - the word for it
    """Start a single action as a run of one step; see `_start` for the options and errors."""
    return _start("action", name, input, **options)


def title_of(workflow: Workflow) -> str:
    """Return what people see of a run that a program started: the title of the workflow, or its name."""
    return workflow.title or workflow.name


def check_input(kind: str, name: str, input: Any, version: str | None = None) -> list[Problem]:  # noqa: A002
    """Return what keeps this input from starting a run, without starting one. Raises UnknownDefinition."""
    return find(kind, name, version).problems(input)


def start_child(definition: Definition, input: Any, *, origin: Origin, actor: str) -> uuid.UUID:  # noqa: A002
    """Record a run that a step starts, in the transaction that holds the step; return its id.

    Raises InputInvalid, TooDeep.
    """
    check_depth(definition.name, origin)
    problems = definition.problems(input)
    if problems:
        raise InputInvalid(problems)
    row = row_of(definition, input, actor, "workflow", origin=origin)
    record(definition, [row], actor, "workflow", definition.version, origin)
    return row.run


def _start(
    kind: str,
    name: str,
    input: Any,  # noqa: A002
    *,
    actor: str,
    trigger: str,
    version: str | None = None,
    key: str | None = None,
    title: str = "",
    tags: Sequence[str] = (),
    origin: Origin = NOWHERE,
) -> Started:
    """Record a run. Same definition and `key`: the same run, made once, also across concurrent callers.

    Raises UnknownDefinition, InputInvalid, KeyInvalid, KeyConflict, TooDeep, and ActionError inside a handler.
    """
    refuse_inside_handler(f"start the {kind} {name}")
    check_key(key)
    check_depth(name, origin)
    definition = last_found(kind, name, version)
    # What is remembered is good for a yes, which the statement confirms; a no needs what is published now.
    if definition is None or definition.problems(input):
        definition = _fitting(kind, name, version, input)
    if key and (run := _repeated(definition, version, key, input)):
        return Started(run, created=False)
    while True:
        row = row_of(definition, input, actor, trigger, version, key or "", title, tags, origin)
        recorded = record(definition, [row], actor, trigger, version, origin)
        if key:
            _seen.add(definition.scope, key)
        if recorded.made:
            made = partial(begun, definition, row, recorded.at, actor, trigger, tags)
            return Started(row.run, created=True, begun=made)
        if other := recorded.known.get(row.run):
            if other.digest == row.digest:
                return Started(other.run, created=False)
            if conflict := conflict_of(other, input, version):
                raise conflict
        definition = _fitting(kind, name, version, input)  # another version was published, or the key taken, just now


def _repeated(definition: Definition, version: str | None, key: str, input: Any) -> uuid.UUID | None:  # noqa: A002
    """Return the run that the same request has made, where this process remembers the key."""
    found = known(definition, version, key) if _seen.holds(definition.scope, key) else None
    return found.run if found is not None and found.digest == request_digest(input, version) else None


def check_key(key: str | None) -> None:
    """Raise KeyInvalid for what cannot be an idempotency key."""
    if key is not None and not KEY.fullmatch(key):
        raise KeyInvalid


def check_depth(name: str, origin: Origin) -> None:
    """Raise TooDeep for a run below too many others."""
    if origin.depth > MAX_DEPTH:
        raise TooDeep(name, origin.depth, MAX_DEPTH)


def conflict_of(known: Known, input: Any, version: str | None) -> KeyConflict | None:  # noqa: A002
    """Return how a request differs from the one that made the run of its key; None when that run is just deleted."""
    run = Run.objects.filter(pk=known.run).only("input").first()
    values = load(known.run, [run.input]) if run else {}
    if run is None or digests(run.input) - values.keys():
        return None
    other = f"version: the key was used for another one than {version or 'the newest'}"
    return KeyConflict(known.run, differences(resolve(run.input, values), input) or [other])


def _fitting(kind: str, name: str, version: str | None, input: Any) -> Definition:  # noqa: A002
    definition = find(kind, name, version)
    if problems := definition.problems(input):
        raise InputInvalid(problems)
    return definition
