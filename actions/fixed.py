"""What follows from the schema of a published version. Published versions never change, so it is worked out once.

A schema is known again by its identity: a process keeps those that it runs. Others may be asked about too; for them
nothing is won.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from actions import schemas, sensitive
from actions.problems import Problem

REMEMBERED = 1_000


class _Known(NamedTuple):
    """`schema` keeps its own identity from being given to another one."""

    schema: Mapping[str, Any]
    validator: jsonschema_rs.Draft202012Validator
    marks: bool


_known: dict[int, _Known] = {}


def problems(schema: Mapping[str, Any], value: Any) -> list[Problem]:
    """Return what `schemas.problems` returns."""
    if not schema or _look_up(schema).validator.is_valid(value):
        return []
    return schemas.problems(schema, value)


def sensitive_values(schema: Mapping[str, Any], value: Any) -> set[str]:
    """Return what `sensitive.sensitive_values` returns: nothing, where neither schema nor names call for secrecy."""
    if not _look_up(schema).marks and not sensitive.has_sensitive_name(value):
        return set()
    return sensitive.sensitive_values(schema, value)


def _look_up(schema: Mapping[str, Any]) -> _Known:
    found = _known.get(id(schema))
    if found is not None and found.schema is schema:
        return found
    if len(_known) >= REMEMBERED:
        _known.pop(next(iter(_known)))
    found = _known[id(schema)] = _Known(schema, schemas.validator(schema), sensitive.marks(schema))
    return found
