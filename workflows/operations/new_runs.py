"""Record new runs: one statement, one round trip and one commit for all that belongs to them.

What is said of every run of a call (its definition, who started it, from where) are plain parameters. What is its own
stands in the rows of `new`: one row of parameters, or the elements of arrays. Nothing is recorded unless the
definition is still what its name means, so that what a process remembers of definitions need not be asked for first.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any, NamedTuple

from actions.models import ActionVersion
from audit import stamping
from dotdo_site.lib import canonical
from dotdo_site.lib.ids import uuid7
from workflows import wake
from workflows.models import Run, Step, WorkflowVersion
from workflows.operations.lookup import Definition, current
from workflows.payloads import REFERENCE, is_inline
from workflows.sql import Hot, array


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of a run among runs: the step that started it, as which of its children, what is above, and the run
    that it repeats.
    """

    step: uuid.UUID | None = None
    index: int = 0
    root: uuid.UUID | None = None
    depth: int = 0
    rerun_of: uuid.UUID | None = None


NOWHERE = Origin()


class Row(NamedTuple):
    """What is a run's own. Texts of JSON, of arrays (`array`) and of the audit link are ready to be stored."""

    run: uuid.UUID
    branch: uuid.UUID
    step: uuid.UUID
    parent_index: int
    key: str
    digest: str
    input: str
    payload_digest: str | None
    payload: str | None
    title: str
    tags: str
    before: str
    data: str


def row_of(
    definition: Definition,
    value: Any,
    actor: str,
    trigger: str,
    version: str | None = None,
    key: str = "",
    title: str = "",
    tags: Sequence[str] = (),
    origin: Origin = NOWHERE,
) -> Row:
    """Return the row of a run with this input; `version` is the one that was asked for."""
    run, branch, text = uuid7(), uuid7(), canonical.dumps(value)
    digest = canonical.digest_of(text)
    data = {
        "definition": f"{definition.name}:{definition.version}",
        "kind": definition.kind,
        "input": digest,
        "trigger": trigger,
    }
    if key:
        data["key"] = canonical.digest(key)
    if origin.step:
        data["step"] = str(origin.step)
    inline = is_inline(value, text)
    return Row(
        run,
        branch,
        uuid7(),
        origin.index,
        key,
        _digest(text, version),
        text if inline else canonical.dumps({REFERENCE: digest}),
        None if inline else digest,
        None if inline else text,
        title,
        array(tags),
        *stamping.first_link(branch, run, "run.started", actor, data),
    )


class Known(NamedTuple):
    """A run that has the key already: its id, and the digest of the request that made it."""

    run: uuid.UUID
    digest: str


def request_digest(value: Any, version: str | None) -> str:
    """Return the digest that tells whether two requests with one key are the same."""
    return _digest(canonical.dumps(value), version)


def _digest(text: str, version: str | None) -> str:
    return canonical.digest_of(f'{{"input":{text},"version":{canonical.dumps(version)}}}')


_FIRST = ("ref", "name", "function")
_TYPES = {
    "run": "uuid", "branch": "uuid", "step": "uuid", "parent_index": "int", "key": "text", "digest": "text",
    "input": "jsonb", "payload_digest": "text", "payload": "jsonb", "title": "text", "tags": "varchar[]",
    "before": "text", "data": "text",
}  # fmt: skip
_ONE = ", ".join(f":{name}::{kind} AS {name}" for name, kind in _TYPES.items())
# An array of arrays has no elements that are arrays: tags are cast one by one.
_ELEMENTS = ", ".join(f":{name}::{kind.replace('varchar[]', 'text')}[]" for name, kind in _TYPES.items())
_COLUMNS = ", ".join(_TYPES)
_NEW = {
    "one": f"SELECT {_ONE}",
    "many": f"SELECT {_COLUMNS.replace('tags', 'tags::varchar[]')} FROM unnest({_ELEMENTS}) AS e({_COLUMNS})",  # noqa: S608 - constants
}
_ASKED = """
asked AS MATERIALIZED (
    SELECT new.*, i.run_id AS known, i.digest AS known_digest
    FROM new LEFT JOIN idempotency_key i ON new.key <> '' AND i.definition = :scope AND i.key = new.key
    WHERE {current}),
k AS (
    INSERT INTO idempotency_key (definition, key, digest, run_id, created_at)
    SELECT :scope, key, digest, run, at FROM clock, asked WHERE key <> '' AND known IS NULL
    ON CONFLICT (definition, key) DO NOTHING RETURNING run_id),"""
# A single run is recorded if it got its key. Of many, `record` counts the keys: all of them, or the caller rolls back.
_MADE = {
    "one": "SELECT * FROM new WHERE {current}",
    "keyed": "SELECT a.* FROM asked a JOIN k ON true WHERE a.known IS NULL",
    "many": "SELECT * FROM asked WHERE known IS NULL",
}
_STAMP = stamping.STAMP.format(at="at")
_HASH = stamping.HASH.format(before="before", stamp="stamp", data="data")
_LARGE = """
p AS (
    INSERT INTO payload (run_id, digest, value)
    SELECT run, payload_digest, payload FROM made WHERE payload_digest IS NOT NULL),"""
_REST = """
r AS (
    INSERT INTO run (id, kind, workflow_version_id, action_version_id, name, state, reason, input, context, mail_seq,
        title, key, tags, trigger, actor, parent_step, parent_index, root, depth, rerun_of, queue, priority,
        created_at)
    SELECT run, :kind, :workflow_version::uuid, :action_version::uuid, :name, 'pending', '', input, '{}', 0, title,
        key, tags, :trigger, :actor, :parent_step::uuid, parent_index, :root::uuid, :depth, :rerun_of::uuid, :queue,
        :priority, at FROM made),
b AS (
    INSERT INTO branch (id, run_id, frame, index, rest, revision, state, cursor, open, audit_seq, audit_head)
    SELECT branch, run, '', 0, '', 0, 'open', '{}', 0, 0, hash FROM made),
s AS (
    INSERT INTO step (id, run_id, branch_id, key, ref, name, kind, function, state, due_at, attempt, failures, claim,
        crashes, generation, wake, caught, queue, priority, created_at)
    SELECT step, run, branch, '', :first_ref, :first_name, 'start', :first_function, 'ready', at, 0, 0, 0, 0, 0, 0,
        false, :queue, :priority, at FROM made),
a AS (
    INSERT INTO audit_event (chain, seq, run, kind, actor, reason, at, data, hash)
    SELECT branch, 0, run, 'run.started', :actor, '', at, data, hash FROM made)
SELECT NULL::uuid, NULL::uuid, NULL, (SELECT count(*) FROM made), {keys}, at FROM clock"""
_KNOWN = """
UNION ALL SELECT run, known, known_digest, 0, 0, NULL FROM asked WHERE known IS NOT NULL"""


def _statement(kind: str, how: str, large: bool) -> Hot:
    """Return the statement for one run without a key, one with a key, or many; each part of it costs also if unused."""
    is_current = f"(SELECT :definition::uuid = ({current(kind)}))"
    keyed = how != "one"
    asked = _ASKED.format(current=is_current) if keyed else ""
    rest = _REST.replace("{keys}", "(SELECT count(*) FROM k)" if keyed else "0")
    return Hot(
        f"""WITH clock AS MATERIALIZED (SELECT at, {_STAMP} AS stamp FROM (SELECT clock_timestamp() AS at) c),
new AS MATERIALIZED ({_NEW["many" if how == "many" else "one"]}),{asked}
made AS MATERIALIZED (
    SELECT m.*, at, {_HASH} AS hash FROM clock, ({_MADE[how].format(current=is_current)}) m),{_LARGE if large else ""}
{rest}{_KNOWN if keyed else ""}"""  # noqa: S608 - constants
    )


_STATEMENTS = {each: _statement(*each) for each in product(("workflow", "action"), _MADE, (False, True))}


def _lookup(kind: str) -> Hot:
    return Hot(
        f"""SELECT run_id, digest FROM idempotency_key
        WHERE definition = :scope AND key = :key AND (SELECT :definition::uuid = ({current(kind)}))"""  # noqa: S608 - constants
    )


_LOOKUPS = {kind: _lookup(kind) for kind in ("workflow", "action")}


def known(definition: Definition, version: str | None, key: str) -> Known | None:
    """Return the run that has a key, as `record` would; None also when the definition is not what its name means."""
    values = {"definition": definition.id, "name": definition.name, "version": version}
    rows = _LOOKUPS[definition.kind].rows(values | {"scope": definition.scope, "key": key})
    return Known(*rows[0]) if rows else None


class Begun(NamedTuple):
    """A run as it was recorded, its first step, and the schema of its input."""

    run: Run
    step: Step
    input_schema: dict[str, Any]


class Recorded(NamedTuple):
    """How many runs were made and when, how many of these got their key, and what was known, by the id not used."""

    made: int
    keys: int
    at: datetime
    known: dict[uuid.UUID, Known]


def record(
    definition: Definition,
    rows: Sequence[Row],
    actor: str,
    trigger: str,
    version: str | None = None,
    origin: Origin = NOWHERE,
) -> Recorded:
    """Record runs of a definition, which was asked for in this version, and wake workers once they are there.

    Nothing is made when the definition is not what its name means any more. Many runs need a transaction, to be rolled
    back when a key of theirs was taken in this very moment.
    """
    one = len(rows) == 1
    values = rows[0]._asdict() if one else dict(zip(_TYPES, map(array, zip(*rows, strict=True)), strict=True))
    values |= {
        "definition": definition.id,
        "version": version,
        "kind": definition.kind,
        "workflow_version": definition.id if definition.kind == "workflow" else None,
        "action_version": definition.id if definition.kind == "action" else None,
        "name": definition.name,
        "scope": definition.scope,
        "first_ref": definition.first_ref,
        "first_name": definition.first_name,
        "first_function": definition.first_function,
        "queue": definition.queue,
        "priority": definition.priority,
        "actor": actor,
        "trigger": trigger,
        "parent_step": origin.step,
        "root": origin.root,
        "depth": origin.depth,
        "rerun_of": origin.rerun_of,
    }
    how = "many" if not one else "keyed" if rows[0].key else "one"
    statement = _STATEMENTS[definition.kind, how, any(row.payload_digest is not None for row in rows)]
    (*_, made, keys, at), *known = statement.rows(values)
    if made:
        wake.workers()
    return Recorded(made, keys, at, {unused: Known(run, digest) for unused, run, digest, *_ in known})


def begun(definition: Definition, row: Row, at: datetime, actor: str, trigger: str, tags: Sequence[str]) -> Begun:
    """Return what `record` has just written of a run that no other one started, without reading it."""
    version: dict[str, Any] = (
        {"workflow_version": WorkflowVersion(id=definition.id, version=definition.version)}
        if definition.kind == "workflow"
        else {"action_version": ActionVersion(id=definition.id, version=definition.version)}
    )
    run = Run(
        id=row.run,
        kind=definition.kind,
        name=definition.name,
        state="pending",
        title=row.title,
        key=row.key,
        tags=list(tags),
        trigger=trigger,
        actor=actor,
        created_at=at,
        **version,
    )
    first = (definition.first_ref, definition.first_name, definition.first_function)
    step = Step(id=row.step, kind="start", state="ready", due_at=at, **dict(zip(_FIRST, first, strict=True)))
    return Begun(run, step, definition.input_schema)
