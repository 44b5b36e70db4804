"""The built-in functions that have a shape of their own; all others are a plain `call`."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflows.build.task import Task
from workflows.build.values import given


def approval(
    name: str,
    title: str,
    /,
    *,
    description: str | None = None,
    users: Sequence[str] = (),
    groups: Sequence[str] = (),
    form: Mapping[str, Any] | None = None,
    due_in: Any = None,
) -> Task:
    """Ask a person for a decision."""
    who = given(users=list(users) or None, groups=list(groups) or None)
    arguments = given(title=title, description=description, assignees=who or None, form=form, dueIn=due_in)
    return Task(name, {"call": "approval", "with": arguments}, "approval")


def map_(
    name: str,
    items: Any,
    workflow: str,
    /,
    *,
    namespace: str | None = None,
    version: str | None = None,
    max_concurrency: int | None = None,
    on_error: str | None = None,
) -> Task:
    """Run a workflow once for each item of a list, several at a time."""
    of = {**given(namespace=namespace), "name": workflow, **given(version=version)}
    more = given(maxConcurrency=max_concurrency, onError=on_error)
    return Task(name, {"call": "map", "with": {"items": items, "workflow": of, **more}}, "map_")


def wait_until(name: str, at: str, /) -> Task:
    """Rest until a moment: a text of RFC 3339 with its zone, or an expression that gives one."""
    return Task(name, {"call": "wait-until", "with": {"at": at}}, "wait_until")


def compensate(name: str, /) -> Task:
    """Undo what was done in this scope, and go on."""
    return Task(name, {"call": "saga.compensate"}, "compensate")
