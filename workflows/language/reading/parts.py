"""Parts that several tasks have: schemas, transformations, durations, retry policies, strategies."""

from collections.abc import Mapping
from typing import Any

from workflows.language import durations, templates
from workflows.language.events import Correlation, EventFilter, Strategy
from workflows.language.tasks import Duration, RetryPolicy, Schema
from workflows.language.templates import Template

Part = Mapping[str, Any]


def read_schema(data: Part) -> Schema | None:
    """Return the JSON Schema of an `input`, `output` or `export`."""
    schema: Schema | None = data["schema"]["document"] if "schema" in data else None
    return schema


def read_transform(data: Part, key: str) -> Template | None:
    """Return what `from` or `as` makes."""
    return templates.compile_always(data[key]) if key in data else None


def read_expression(data: Part, key: str) -> str | None:
    """Return the jq text of a field that is always an expression (R20)."""
    return templates.always(data[key]) if key in data else None


def read_duration(value: Any) -> Duration:
    """Return a fixed duration, or the jq text of one."""
    text = templates.inner(value) if isinstance(value, str) else None
    return durations.parse(value) if text is None else text


def read_timeout(owner: Part, use: Part) -> Duration | None:
    """Return after which time a task or a workflow is interrupted."""
    if "timeout" not in owner:
        return None
    timeout = owner["timeout"]
    return read_duration((use["timeouts"][timeout] if isinstance(timeout, str) else timeout)["after"])


def read_retry(value: Any, use: Part) -> RetryPolicy:
    """Return a retry policy, written out or named."""
    policy = use["retries"][value] if isinstance(value, str) else value
    limit = policy["limit"]
    attempt = limit.get("attempt", {})
    jitter = policy.get("jitter")
    return RetryPolicy(
        when=read_expression(policy, "when"),
        except_when=read_expression(policy, "exceptWhen"),
        delay=read_duration(policy.get("delay", "PT0S")),
        backoff=next(iter(policy.get("backoff", {"constant": {}}))),
        jitter=(read_duration(jitter["from"]), read_duration(jitter["to"])) if jitter else None,
        count=attempt.get("count"),
        attempt_timeout=read_duration(attempt["duration"]) if "duration" in attempt else None,
        duration=read_duration(limit["duration"]) if "duration" in limit else None,
    )


def read_strategy(given: Part) -> Strategy:
    """Return which events are consumed."""
    mode = next(mode for mode in ("one", "all", "any") if mode in given)
    filters = [given["one"]] if mode == "one" else given[mode]
    until = given.get("until")
    return Strategy(
        mode=mode,
        filters=tuple(_read_filter(item) for item in filters),
        until=templates.always(until) if isinstance(until, str) else until and read_strategy(until),
    )


def _read_filter(given: Part) -> EventFilter:
    return EventFilter(
        with_={key: templates.compile_whole(value) for key, value in given["with"].items()},
        correlate={
            name: Correlation(
                from_=templates.always(item["from"]),
                expect=templates.compile(item["expect"]) if "expect" in item else None,
            )
            for name, item in given.get("correlate", {}).items()
        },
    )
