"""Which events a filter of `listen` (or of a schedule) takes: §1.11, rulings R28 and R30. Pure, like the engine."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from workflows.engine.messages import Filter
from workflows.language.events import LONGEST_PATTERN, PATTERN
from workflows.language.program import EventFilter, Strategy
from workflows.language.templates import Constant, Expression

# `evaluate(jq text, dot)`
Evaluate = Callable[[str, Any], Any]


def matches(wanted: EventFilter, event: Mapping[str, Any], evaluate: Evaluate) -> bool:
    """Tell whether all attributes of the event are as `with` says; correlation is apart. Raises Fault."""
    return all(_fits(rule, event.get(name), evaluate) for name, rule in wanted.with_.items())


def read(event: Mapping[str, Any], how: str) -> Any:
    """Return what a listen gives out for an event: its data, its envelope, or its data as it was sent."""
    if how == "envelope":
        return dict(event)
    if how == "raw":
        return event.get("data_base64", event.get("data"))
    return event.get("data")


def summary(strategy: Strategy, expected: Callable[[EventFilter], Mapping[str, Any]]) -> tuple[Filter, ...]:
    """Return what is known of a strategy's filters beforehand. `expected` gives jq text -> value for a filter."""
    filters = [*strategy.filters]
    if isinstance(strategy.until, Strategy):
        filters += strategy.until.filters
    if not strategy.filters:
        return (Filter(0),)
    return tuple(_summary(index, wanted, expected(wanted)) for index, wanted in enumerate(filters))


def _summary(index: int, wanted: EventFilter, expected: Mapping[str, Any]) -> Filter:
    return Filter(index, _literal(wanted, "type"), _literal(wanted, "source"), expected)


def _literal(wanted: EventFilter, name: str) -> str:
    rule = wanted.with_.get(name)
    value = rule.value if isinstance(rule, Constant) else None
    return value if isinstance(value, str) and not PATTERN.search(value) else ""


def _fits(rule: Any, value: Any, evaluate: Evaluate) -> bool:
    if isinstance(rule, Expression):
        found = evaluate(rule.text, value)
        return found is not None and found is not False
    wanted = rule.value if isinstance(rule, Constant) else rule
    if isinstance(wanted, str) and wanted != value and PATTERN.search(wanted):
        return _matches_pattern(wanted, value, evaluate)
    return bool(wanted == value)


def _matches_pattern(pattern: str, value: Any, evaluate: Evaluate) -> bool:
    """Match the whole text inside the sandbox, whose time is limited; a pattern of jq's regular expressions (R28)."""
    if not isinstance(value, str) or len(pattern) > LONGEST_PATTERN:
        return False
    return bool(evaluate(f"test({json.dumps(f'^(?:{pattern})$')})", value))
