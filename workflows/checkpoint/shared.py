"""The statement of a shared commit.

It is that of a single checkpoint (`parts`), with a row of `g` for each run instead of one: every parameter is a column
of `i`, named `p_...`, and `g` hands those on whose guard holds. Each row stands for itself: the guard of one says
nothing about another, and whose guard fails is not among the rows that come back. A row that somebody else has locked
counts as one whose guard fails: a statement that waits for nobody takes part in no deadlock.

Usual steps, and the usual steps that follow them, have parts of their own that write less. A row says what it is by
what it has: a usual one has no `state`, and where nothing follows there is no `n0_id`. So no row is written twice.
Where several steps of a run in a row have ended, the first is the one that was held, and those behind it are inserted
as they ended: the guard of the first is theirs, for nobody else can have begun what it leads to.

The rows come as one JSON text, and so do the links and the payloads: arrays, one for each of forty columns, would each
be read and joined to the others by itself. A jsonb value is a string in there, for the null of JSON is not that of SQL.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from workflows.checkpoint import parts
from workflows.claim import BESIDE
from workflows.sql import PARAMETER, Hot

# The columns that rows may have, with their types.
_GUARDED = {"run": "uuid", "branch": "uuid", "revision": "bigint", "step": "uuid", "claim": "bigint"}
_USUAL = {
    "output": "jsonb", "attempt": "int", "cursor": "jsonb", "audit_seq": "int", "audit_head": "bytea", "rest": "text",
    "ago": "float8",
}  # fmt: skip
_CHANGED = {
    "wake": "bigint", "state": "text", "key": "text", "ref": "text", "name": "text", "kind": "text", "function": "text",
    "action_version": "uuid", "input": "jsonb", "error": "jsonb", "caught": "bool", "failures": "int",
    "generation": "int", "due_at": "timestamptz", "queue": "text", "delay": "float8", "finished": "bool",
    "branch_state": "text", "branch_output": "jsonb", "branch_error": "jsonb",
}  # fmt: skip
_RUN = {
    "run_output": "jsonb", "run_keep": "bool", "run_state": "text", "run_reason": "text", "run_error": "jsonb",
    "run_context": "jsonb", "run_final": "bool",
}  # fmt: skip
_NEXT_AT_ONCE = {
    "n0_id": "uuid", "n0_key": "text", "n0_ref": "text", "n0_name": "text", "n0_kind": "text", "n0_function": "text",
    "n0_claim": "bigint", "n0_generation": "int", "n0_worker": "uuid", "n0_action": "uuid", "n0_queue": "text",
    "n0_priority": "smallint", "n0_input": "jsonb",
}  # fmt: skip
_NEXT = {"n0_state": "text", "n0_due": "timestamptz", "n0_error": "jsonb"}
_ENDED = {
    "number": "int", "id": "uuid", "key": "text", "ref": "text", "name": "text", "kind": "text", "function": "text",
    "action_version": "uuid", "queue": "text", "priority": "smallint", "input": "jsonb", "output": "jsonb",
    "attempt": "int", "claim": "bigint", "generation": "int", "began": "float8", "done": "float8",
}  # fmt: skip
_LINKS = {
    "number": "int", "seq": "int", "kind": "text", "actor": "text", "reason": "text", "at": "timestamptz",
    "data": "text", "hash": "bytea",
}  # fmt: skip
_PAYLOADS = {"number": "int", "digest": "text", "value": "jsonb"}


class Shape(NamedTuple):
    """Which parts a shared statement has: those that any of its rows needs.

    `changed`: not all steps succeed as they were begun; `at_once`: all that follow are begun; `ended`: of some runs
    several steps in a row have ended; `takes`: others are claimed. There are few shapes, for the server plans the first
    uses of each.
    """

    changed: bool
    run: bool
    at_once: bool
    ended: bool
    payloads: bool
    takes: bool

    @property
    def columns(self) -> dict[str, str]:
        """Return the columns that its rows have."""
        changed, run = _CHANGED if self.changed else {}, _RUN if self.run else {}
        return _GUARDED | _USUAL | changed | run | _NEXT_AT_ONCE | ({} if self.at_once else _NEXT)


# `number + 0 = number` is always true. The planner takes it for true of one row in two hundred, and so looks each row
# up by its key, also with a plan from when the tables were small.
_ITEMS = """
WITH i AS MATERIALIZED (SELECT {values} FROM {rows} WHERE i.number + 0 = i.number),
{guards}"""
_GUARD = """
{name} AS MATERIALIZED (
    SELECT i.*, l.* FROM i CROSS JOIN LATERAL (
        SELECT r.id AS run, b.id AS branch, s.id AS step, r.state AS run_state
        FROM run r JOIN branch b ON b.run_id = r.id JOIN step s ON s.branch_id = b.id
        WHERE r.id = i.p_run AND r.state NOT IN ('succeeded', 'cancelled')
            AND b.id = i.p_branch AND b.revision = i.p_revision
            AND s.id = i.p_step AND s.claim = i.p_claim AND s.state = 'running'
        LIMIT 1 FOR NO KEY UPDATE OF {locks} SKIP LOCKED) l{condition})"""
_BOTH = """,
g AS MATERIALIZED (SELECT * FROM with_run UNION ALL SELECT * FROM without)"""
_LINK = """,
linked AS (
    INSERT INTO audit_event (chain, seq, run, kind, actor, reason, at, data, hash)
    SELECT g.branch, l.seq, g.run, l.kind, l.actor, l.reason, l.at, l.data, l.hash
    FROM {rows} JOIN g ON g.number = l.number ORDER BY l.number, l.seq)"""
_ENDED_BEHIND = """,
ended AS (
    INSERT INTO step (id, run_id, branch_id, key, ref, name, kind, function, state, due_at, attempt, failures, claim,
        crashes, generation, wake, action_version_id, queue, priority, input, output, caught, created_at, started_at,
        finished_at)
    SELECT e.id, g.run, g.branch, e.key, e.ref, e.name, e.kind, e.function, 'succeeded', t.began, e.attempt, 0, e.claim,
        0, e.generation, 0, e.action_version, e.queue, e.priority, e.input::jsonb, e.output::jsonb, false, t.began,
        t.began, t.now - make_interval(secs => e.done)
    FROM {rows} JOIN g ON g.number = e.number
        CROSS JOIN LATERAL (SELECT now - make_interval(secs => e.began) AS began, now
            FROM (SELECT clock_timestamp() AS now) c) t)"""
_PAYLOAD = """,
pay AS (
    INSERT INTO payload (run_id, digest, value) SELECT g.run, y.digest, y.value::jsonb
    FROM {rows} JOIN g ON g.number = y.number
    ON CONFLICT (run_id, digest) DO NOTHING)"""
# When a step had ended, which is before its commit where others follow it there.
_DONE = "clock_timestamp() - make_interval(secs => :ago)"
# The next steps for the worker, claimed with the same commit: of those that never took a worker with them.
_TAKEN = BESIDE.replace("LIMIT 1", "LIMIT :most_ahead").replace("EXISTS (", "crashes = 0 AND EXISTS (")


@lru_cache(maxsize=64)
def statement(shape: Shape) -> Hot:
    """Return the statement with these parts. It takes `lease`, and `rows`, `links`, `ended`, `payloads` as JSON texts.

    Its rows are those of `g` that were written, and those that were claimed, which have no number.
    """
    texts = [_items(shape), _own(shape), _LINK.format(rows=_rows("links", "l", _LINKS))]
    if shape.ended:
        texts.append(_ENDED_BEHIND.format(rows=_rows("ended", "e", _ENDED)))
    if shape.payloads:
        texts.append(_PAYLOAD.format(rows=_rows("payloads", "y", _PAYLOADS)))
    more, beside = "", ""
    if shape.takes:
        texts.append(_TAKEN)
        more, beside = ", taken.*", " FULL JOIN taken ON false"
    return Hot("".join(texts) + f"\nSELECT g.number, clock_timestamp(), g.run_state{more} FROM g{beside}")


def _items(shape: Shape) -> str:
    """Return the rows, and those of them whose guard holds."""
    values = ", ".join(["i.number", *(_cast(name, kind) for name, kind in shape.columns.items())])
    rows = _rows("rows", "i", {"number": "int"} | shape.columns)
    return _ITEMS.format(values=values, rows=rows, guards=_guards(shape.run))


def _own(shape: Shape) -> str:
    """Return what is written to steps, branches and runs: the parts of a single checkpoint, with columns of `g`."""
    text, columns = parts.DONE_AND_MOVED_ON, shape.columns
    if shape.changed:
        changed = parts.DONE_AND_MOVED.replace("done AS", "changed AS").replace("moved AS", "changed_branch AS")
        text = _only(text, "g.p_state IS NULL") + _only(changed, "g.p_state IS NOT NULL")
    if shape.run:
        text += _only(parts.OPTIONAL["run"], "g.p_run_state IS NOT NULL")
    text = text.replace("finished_at = clock_timestamp()", f"finished_at = {_DONE}").replace(
        "finished_at = CASE WHEN :finished::bool THEN clock_timestamp() END",
        f"finished_at = CASE WHEN :finished::bool THEN {_DONE} END",
    )
    following = (parts.NEXT_AT_ONCE if shape.at_once else parts.NEXT).replace("{i}", "0")
    text += following.replace("FROM g)", "FROM g WHERE g.p_n0_id IS NOT NULL)")
    return PARAMETER.sub(lambda found: f"g.p_{found[1]}" if found[1] in columns else found[0], text)


def _guards(run: bool) -> str:
    """Return the guard; where runs are written, one that locks them too, and one for the rows that write none."""
    if not run:
        return _GUARD.format(name="g", locks="b, s", condition="")
    written = _GUARD.format(name="with_run", locks="r, b, s", condition=" WHERE i.p_run_state IS NOT NULL")
    others = _GUARD.format(name="without", locks="b, s", condition=" WHERE i.p_run_state IS NULL")
    return f"{written},{others}{_BOTH}"


def _only(part: str, condition: str) -> str:
    """Return updates for the rows alone that meet a condition."""
    return part.replace("FROM g WHERE ", f"FROM g WHERE {condition} AND ")


def _rows(parameter: str, name: str, columns: Mapping[str, str]) -> str:
    """Return the rows of a JSON text as a table."""
    typed = ", ".join(f"{column} {'text' if kind == 'jsonb' else kind}" for column, kind in columns.items())
    return f"jsonb_to_recordset(:{parameter}::jsonb) AS {name} ({typed})"


def _cast(name: str, kind: str) -> str:
    return f"i.{name}{'::jsonb' if kind == 'jsonb' else ''} AS p_{name}"
