"""Checkpoints of several runs in one statement and one commit: what `worker` calls a shared commit.

The SQL is that of a single checkpoint (`parts`), with a row of `g` for each run instead of one: every parameter of a
checkpoint is a column of `i`, named `p_...`, and `g` hands those on whose guard holds. Each row stands for itself: the
guard of one says nothing about another, and whose guard fails is not among the rows that come back. A row that somebody
else has locked counts as one whose guard fails: a statement that waits for nobody takes part in no deadlock.

Only plain checkpoints fit: a step that ends, its branch, at most one step that follows, links, payloads, and the run.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from workflows.checkpoint import parts
from workflows.checkpoint.progress import UNCHANGED, Progress
from workflows.checkpoint.statement import Written
from workflows.checkpoint.values import LINK, values_of
from workflows.claim import Claimed
from workflows.payloads import Packer
from workflows.sql import PARAMETER, Hot

Item = tuple[Claimed, Progress]

# Every parameter of the parts that a shared statement has, with its type.
_STEP = {
    "run": "uuid", "branch": "uuid", "revision": "bigint", "step": "uuid", "claim": "bigint", "wake": "bigint",
    "lease": "float8", "state": "text", "key": "text", "ref": "text", "name": "text", "kind": "text",
    "function": "text", "action_version": "uuid", "input": "jsonb", "output": "jsonb", "error": "jsonb",
    "caught": "bool", "attempt": "int", "failures": "int", "generation": "int", "due_at": "timestamptz",
    "queue": "text", "delay": "float8", "finished": "bool", "cursor": "jsonb", "audit_seq": "int",
    "audit_head": "bytea", "branch_state": "text", "rest": "text", "branch_output": "jsonb", "branch_error": "jsonb",
}  # fmt: skip
_RUN = {
    "run_output": "jsonb", "run_keep": "bool", "run_state": "text", "run_reason": "text", "run_error": "jsonb",
    "run_context": "jsonb", "run_final": "bool",
}  # fmt: skip
_NEXT = {
    "n0_id": "uuid", "n0_key": "text", "n0_ref": "text", "n0_name": "text", "n0_kind": "text", "n0_function": "text",
    "n0_state": "text", "n0_due": "timestamptz", "n0_claim": "bigint", "n0_generation": "int", "n0_worker": "uuid",
    "n0_action": "uuid", "n0_queue": "text", "n0_priority": "smallint", "n0_input": "jsonb", "n0_error": "jsonb",
}  # fmt: skip
_COLUMNS = _STEP | _RUN | _NEXT
_LINKS = dict(zip(LINK, ("int", "text", "text", "text", "timestamptz", "text", "bytea"), strict=True))
_PAYLOADS = {"digest": "text", "value": "text"}

# `number + 0 = number` is always true. The planner takes it for true of one row in two hundred, and so looks each row
# up by its key, also with a plan from when the tables were small.
_ITEMS = """
WITH i AS MATERIALIZED (
    SELECT * FROM unnest(:number::int[], {arrays}) AS i (number, {names}) WHERE number + 0 = number),
{guards}
g AS MATERIALIZED (SELECT * FROM with_run UNION ALL SELECT * FROM without)"""
_GUARD = """
{name} AS MATERIALIZED (
    SELECT i.*, l.* FROM i CROSS JOIN LATERAL (
        SELECT r.id AS run, b.id AS branch, s.id AS step, r.state AS run_state
        FROM run r JOIN branch b ON b.run_id = r.id JOIN step s ON s.branch_id = b.id
        WHERE r.id = i.p_run AND r.state NOT IN ('succeeded', 'cancelled')
            AND b.id = i.p_branch AND b.revision = i.p_revision
            AND s.id = i.p_step AND s.claim = i.p_claim AND s.state = 'running'
        LIMIT 1 FOR NO KEY UPDATE OF {locks} SKIP LOCKED) l
    WHERE {condition}),"""
_LINK = """,
l AS MATERIALIZED (SELECT * FROM unnest({arrays}) AS l ({names})),
linked AS (
    INSERT INTO audit_event (chain, seq, run, kind, actor, reason, at, data, hash)
    SELECT g.branch, l.seq, g.run, l.kind, l.actor, l.reason, l.at, l.data, l.hash
    FROM l JOIN g ON g.number = l.number ORDER BY l.number, l.seq)"""
_PAYLOAD = """,
pay AS (
    INSERT INTO payload (run_id, digest, value) SELECT g.run, p.digest, p.value::jsonb
    FROM unnest({arrays}) AS p ({names}) JOIN g ON g.number = p.number
    ON CONFLICT (run_id, digest) DO NOTHING)"""


def fits(progress: Progress) -> bool:
    """Tell whether a checkpoint can share its commit: it writes nothing but its own branch, and at most one step."""
    run = progress.run
    beside = (
        progress.attempt, progress.branches, progress.closed, progress.over, progress.woken, progress.messages,
        progress.listens, progress.subscriptions, progress.unsubscribe, progress.undos, progress.undoing,
        progress.undone,
    )  # fmt: skip
    return not any(beside) and len(progress.next) <= 1 and (run is None or run.seen_context is UNCHANGED)


def write_many(items: Sequence[Item], lease_seconds: float) -> list[Written | None]:
    """Record progress that `fits`, each of another run, in one commit; None for what was not written.

    Raises CursorTooLarge: nothing is written then.
    """
    packers = [Packer(held.run) for held, _ in items]
    rows = [
        values_of(held, progress, packer, lease_seconds)
        for (held, progress), packer in zip(items, packers, strict=True)
    ]
    statement = _statement(bool(any(packer.payloads for packer in packers)))
    found = {row[0]: Written(row[1], row[2]) for row in statement.rows(_values(items, rows, packers))}
    for number in found:
        packers[number].kept()
    return [found.get(number) for number in range(len(items))]


def _values(items: Sequence[Item], rows: list[dict[str, Any]], packers: list[Packer]) -> dict[str, Any]:
    values: dict[str, Any] = {"number": list(range(len(rows)))}
    for name in _COLUMNS:
        values[f"p_{name}"] = [row.get(name) for row in rows]
    links = [(number, link) for number, (_, progress) in enumerate(items) for link in progress.links]
    values["l_number"] = [number for number, _ in links]
    for name in LINK:
        values[f"l_{name}"] = [getattr(link, name) for _, link in links]
    pays = [(number, pay) for number, packer in enumerate(packers) for pay in packer.payloads.items()]
    values["y_number"] = [number for number, _ in pays]
    values["y_digest"], values["y_value"] = [digest for _, (digest, _) in pays], [text for _, (_, text) in pays]
    return values


@lru_cache(maxsize=2)
def _statement(payloads: bool) -> Hot:
    own = PARAMETER.sub(r"g.p_\1", parts.DONE_AND_MOVED + _run() + _next())
    guards = [
        _GUARD.format(name="with_run", locks="r, b, s", condition="i.p_run_state IS NOT NULL"),
        _GUARD.format(name="without", locks="b, s", condition="i.p_run_state IS NULL"),
    ]
    head = _ITEMS.format(arrays=_arrays("p_", _COLUMNS), names=_names("p_", _COLUMNS), guards="".join(guards))
    numbered = {"number": "int"}
    texts = [head, own, _LINK.format(arrays=_arrays("l_", numbered | _LINKS), names=_names("", numbered | _LINKS))]
    if payloads:
        kept = numbered | _PAYLOADS
        texts.append(_PAYLOAD.format(arrays=_arrays("y_", kept), names=_names("", kept)))
    return Hot("".join(texts) + "\nSELECT g.number, clock_timestamp(), g.run_state FROM g")


def _run() -> str:
    return parts.OPTIONAL["run"].replace("WHERE r.id = g.run)", "WHERE r.id = g.run AND :run_state IS NOT NULL)")


def _next() -> str:
    return parts.NEXT.replace("{i}", "0").replace("FROM g)", "FROM g WHERE :n0_id IS NOT NULL)")


def _arrays(prefix: str, columns: dict[str, str]) -> str:
    return ", ".join(f":{prefix}{name}::{kind}[]" for name, kind in columns.items())


def _names(prefix: str, columns: Iterable[str]) -> str:
    return ", ".join(prefix + name for name in columns)
