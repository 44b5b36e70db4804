"""Listening: events, strategies, and what to do with each event."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflows.build.task import Task, data, task_list
from workflows.build.values import given

Filter = Mapping[str, Any]


def event(type: str | None = None, /, *, correlate: Mapping[str, Any] | None = None, **attributes: Any) -> Filter:  # noqa: A002 - CloudEvents' word
    """Describe the events that are meant: by type and other attributes, and by what correlates them with this run.

    `correlate` has expressions on the event, `{"order": ".data.order"}`, or pairs of one and the value it must give.
    """
    found = {"with": {**given(type=type), **attributes}}
    if correlate:
        found["correlate"] = {name: _correlation(value) for name, value in correlate.items()}
    return found


def listen_one(name: str, to: Filter, *, read: str | None = None, foreach: Filter | None = None) -> Task:
    """Wait for an event."""
    return _listen(name, "listen_one", {"one": dict(to)}, read, foreach)


def listen_all(name: str, *to: Filter, read: str | None = None, foreach: Filter | None = None) -> Task:
    """Wait until each of several events has come."""
    return _listen(name, "listen_all", {"all": [*to]}, read, foreach)


def listen_any(
    name: str, *to: Filter, until: Any = None, read: str | None = None, foreach: Filter | None = None
) -> Task:
    """Wait for any of several events, or take every one of them until a condition or another event ends it."""
    return _listen(name, "listen_any", {"any": [*to], **given(until=until)}, read, foreach)


def until_one(to: Filter) -> Filter:
    """Describe the event that ends a `listen_any`."""
    return {"one": dict(to)}


def until_all(*to: Filter) -> Filter:
    """Describe the events that end a `listen_any` together."""
    return {"all": [*to]}


def until_any(*to: Filter) -> Filter:
    """Describe the events of which each ends a `listen_any`."""
    return {"any": [*to]}


def each_event(
    do: Sequence[Task] = (),
    /,
    *,
    item: str | None = None,
    at: str | None = None,
    output: Any = None,
    export: Any = None,
) -> Filter:
    """Describe what is done with each event, one after the other, in the order in which they came."""
    return given(
        item=item,
        at=at,
        do=task_list("each_event", do) or None,
        output=None if output is None else data("as", output, None),
        export=None if export is None else data("as", export, None),
    )


def _listen(name: str, made_by: str, to: Filter, read: str | None, foreach: Filter | None) -> Task:
    return Task(name, {"listen": {"to": to, **given(read=read)}, **given(foreach=foreach)}, made_by)


def _correlation(value: Any) -> Filter:
    if isinstance(value, tuple):
        source, expected = value
        return {"from": source, "expect": expected}
    return {"from": value}
