"""Start a run: validate, then insert run, branch, first step, key and audit link in one statement and one commit."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actions import schemas
from actions.limits import check_value
from actions.problems import Problem
from actions.running import refuse_inside_handler
from audit.formulas import GENESIS
from audit.recording import seal
from dotdo_site.lib import canonical
from dotdo_site.lib.ids import uuid7
from workflows import wake
from workflows.models import IdempotencyKey, Workflow
from workflows.operations.differences import differences
from workflows.operations.errors import InputInvalid, KeyConflict, KeyInvalid, TooDeep
from workflows.operations.lookup import Definition, find
from workflows.payloads import Packer, digests, load, resolve
from workflows.sql import Statement

KEY = re.compile(r"[\x21-\x7e]{1,255}")
MAX_DEPTH = 32


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


@dataclass(frozen=True, slots=True)
class Started:
    """The run that answers the request, and whether this request made it."""

    run_id: uuid.UUID
    created: bool


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
    return _problems(find(kind, name, version), input)


def start_child(definition: Definition, input: Any, *, origin: Origin, actor: str) -> uuid.UUID:  # noqa: A002
    """Record a run that a step starts, in the transaction that holds the step; return its id.

    Raises InputInvalid, TooDeep.
    """
    _check_depth(definition, origin)
    problems = _problems(definition, input)
    if problems:
        raise InputInvalid(problems)
    values = _values(definition, input, "", actor, "workflow", None, "", (), origin)
    _insert(values, keyed=False)
    wake.workers()
    return uuid.UUID(str(values["run"]))


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
    origin: Origin = Origin(),
) -> Started:
    """Record a run. Same definition and `key`: the same run, made once, also across concurrent callers.

    Raises UnknownDefinition, InputInvalid, KeyInvalid, KeyConflict, TooDeep, and ActionError inside a handler.
    """
    refuse_inside_handler(f"start the {kind} {name}")
    if key is not None and not KEY.fullmatch(key):
        raise KeyInvalid
    definition = find(kind, name, version)
    _check_depth(definition, origin)
    problems = _problems(definition, input)
    if problems:
        raise InputInvalid(problems)
    digest = canonical.digest({"input": input, "version": version})
    values = _values(definition, input, digest, actor, trigger, key, title, tags, origin)
    while not _insert(values, keyed=key is not None):
        if known := _replay(definition, str(key), digest, input, version):
            return known
    wake.workers()
    return Started(values["run"], created=True)


def _check_depth(definition: Definition, origin: Origin) -> None:
    if origin.depth > MAX_DEPTH:
        raise TooDeep(definition.name, origin.depth, MAX_DEPTH)


def _problems(definition: Definition, value: Any) -> list[Problem]:
    return check_value(value) or schemas.problems(definition.input_schema, value)


def _replay(
    definition: Definition,
    key: str,
    digest: str,
    input: Any,  # noqa: A002
    version: str | None,
) -> Started | None:
    """Return the run that owns the key; None when it was deleted at this very moment, and the key is free again."""
    known = IdempotencyKey.objects.select_related("run").filter(definition=definition.scope, key=key).first()
    if known is None:
        return None
    if known.digest == digest:
        return Started(known.run_id, created=False)
    values = load(known.run_id, [known.run.input])
    if digests(known.run.input) - values.keys():
        return None
    stored = resolve(known.run.input, values)
    found = differences(stored, input) or [f"version: the key was used for another one than {version or 'the newest'}"]
    raise KeyConflict(known.run_id, found)


def _values(
    definition: Definition,
    input: Any,  # noqa: A002
    digest: str,
    actor: str,
    trigger: str,
    key: str | None,
    title: str,
    tags: Sequence[str],
    origin: Origin,
) -> dict[str, Any]:
    run, branch, packer = uuid7(), uuid7(), Packer()
    data = {
        "definition": f"{definition.name}:{definition.version}",
        "kind": definition.kind,
        "input": canonical.digest(input),
        "trigger": trigger,
    }
    link = seal(
        GENESIS,
        chain=branch,
        seq=0,
        run=run,
        kind="run.started",
        actor=actor,
        at=definition.now,
        data=data
        | ({"key": canonical.digest(key)} if key else {})
        | ({"step": str(origin.step)} if origin.step else {}),
    )
    packed = packer.pack(input)
    payload = next(iter(packer.payloads.items()), (None, None))
    return {
        "run": run,
        "branch": branch,
        "step": uuid7(),
        "kind": definition.kind,
        "workflow_version": definition.id if definition.kind == "workflow" else None,
        "action_version": definition.id if definition.kind == "action" else None,
        "name": definition.name,
        "input": packed,
        "payload_digest": payload[0],
        "payload": payload[1],
        "title": title,
        "tags": list(tags),
        "trigger": trigger,
        "actor": actor,
        "first_ref": definition.first_ref,
        "first_name": definition.first_name,
        "first_function": definition.first_function,
        "queue": definition.queue,
        "priority": definition.priority,
        "parent_step": origin.step,
        "parent_index": origin.index,
        "root": origin.root,
        "depth": origin.depth,
        "rerun_of": origin.rerun_of,
        "scope": definition.scope,
        "key": key or "",
        "digest": digest,
        "at": link.at,
        "data": link.data,
        "hash": link.hash,
    }


_KEYED = """
WITH k AS (
    INSERT INTO idempotency_key (definition, key, digest, run_id, created_at)
    VALUES (:scope, :key, :digest, :run, clock_timestamp())
    ON CONFLICT (definition, key) DO NOTHING RETURNING run_id)"""
_UNKEYED = "WITH k AS (SELECT :run::uuid AS run_id)"
_REST = """,
p AS (
    INSERT INTO payload (run_id, digest, value) SELECT k.run_id, :payload_digest::text, :payload::jsonb FROM k
    WHERE :payload_digest::text IS NOT NULL),
r AS (
    INSERT INTO run (id, kind, workflow_version_id, action_version_id, name, state, reason, input, context, mail_seq,
        title, key, tags, trigger, actor, parent_step, parent_index, root, depth, rerun_of, queue, priority,
        created_at)
    SELECT k.run_id, :kind, :workflow_version::uuid, :action_version::uuid, :name, 'pending', '', :input::jsonb, '{}',
        0, :title, :key, :tags::varchar[], :trigger, :actor, :parent_step::uuid, :parent_index, :root::uuid, :depth,
        :rerun_of::uuid, :queue, :priority, clock_timestamp() FROM k),
b AS (
    INSERT INTO branch (id, run_id, frame, index, rest, revision, state, cursor, open, audit_seq, audit_head)
    SELECT :branch, k.run_id, '', 0, '', 0, 'open', '{}', 0, 0, :hash FROM k),
s AS (
    INSERT INTO step (id, run_id, branch_id, key, ref, name, kind, function, state, due_at, attempt, failures, claim,
        crashes, generation, wake, caught, queue, priority, created_at)
    SELECT :step, k.run_id, :branch, '', :first_ref, :first_name, 'start', :first_function, 'ready', clock_timestamp(),
        0, 0, 0, 0, 0, 0, false, :queue, :priority, clock_timestamp() FROM k),
a AS (
    INSERT INTO audit_event (chain, seq, run, kind, actor, reason, at, data, hash)
    SELECT :branch, 0, k.run_id, 'run.started', :actor, '', :at, :data, :hash FROM k)
SELECT run_id FROM k"""
_START_KEYED, _START = Statement(_KEYED + _REST), Statement(_UNKEYED + _REST)


def _insert(values: Mapping[str, Any], *, keyed: bool) -> bool:
    """Insert the run; False when its key is taken (another caller's insert was waited for, if it was under way)."""
    return bool((_START_KEYED if keyed else _START).rows(values))
