"""The SQL of a checkpoint, part by part; `{i}` numbers what may come several times."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workflows.checkpoint.statement import Shape

_GUARD = """
WITH g AS MATERIALIZED (
    SELECT r.id AS run, b.id AS branch, s.id AS step, r.state AS run_state{columns}
    FROM run r JOIN branch b ON b.run_id = r.id JOIN step s ON s.branch_id = b.id{joins}
    WHERE r.id = :run AND r.state NOT IN ('succeeded', 'cancelled') AND b.id = :branch AND b.revision = :revision
        AND s.id = :step AND s.claim = :claim AND s.state = 'running'{conditions}
    FOR NO KEY UPDATE OF {locks})"""
# What every checkpoint does to the step that was held, and to its branch.
DONE_AND_MOVED = """,
done AS (
    UPDATE step s SET
        state = CASE WHEN :state::text = 'waiting' AND s.wake > :wake THEN 'ready' ELSE :state::text END,
        key = :key, ref = :ref, name = :name, kind = :kind, function = :function,
        action_version_id = :action_version, queue = :queue, input = :input, output = :output, error = :error,
        caught = :caught, attempt = :attempt, failures = :failures, generation = :generation,
        leased_by = NULL, lease_expires_at = NULL,
        due_at = CASE WHEN :finished::bool THEN s.due_at
            WHEN :state::text IN ('ready', 'waiting', 'held') AND s.wake > :wake THEN clock_timestamp()
            ELSE coalesce(:due_at::timestamptz, clock_timestamp() + make_interval(secs => :delay::float8)) END,
        finished_at = CASE WHEN :finished::bool THEN clock_timestamp() END
    FROM g WHERE s.id = g.step),
moved AS (
    UPDATE branch b SET revision = b.revision + 1, cursor = :cursor, audit_seq = :audit_seq, audit_head = :audit_head,
        state = :branch_state::text, rest = :rest, output = :branch_output::jsonb, error = :branch_error::jsonb,
        closed_at = CASE WHEN :branch_state::text = 'closed' THEN clock_timestamp() END
    FROM g WHERE b.id = g.branch)"""
# The same for the usual step: it succeeds as it was begun, and its branch moves on. Columns that stay are left out.
DONE_AND_MOVED_ON = """,
done AS (
    UPDATE step s SET state = 'succeeded', output = :output, error = NULL, attempt = :attempt, leased_by = NULL,
        lease_expires_at = NULL, finished_at = clock_timestamp()
    FROM g WHERE s.id = g.step),
moved AS (
    UPDATE branch b SET revision = b.revision + 1, cursor = :cursor, audit_seq = :audit_seq, audit_head = :audit_head,
        rest = :rest
    FROM g WHERE b.id = g.branch)"""
_RUN = """,
ran AS (
    UPDATE run r SET output = :run_output,
        state = CASE WHEN :run_keep::bool THEN r.state ELSE :run_state::text END,
        reason = CASE WHEN :run_keep::bool THEN r.reason ELSE :run_reason::text END,
        error = CASE WHEN :run_keep::bool THEN r.error ELSE :run_error::jsonb END,
        context = coalesce(:run_context::jsonb, r.context), started_at = coalesce(r.started_at, clock_timestamp()),
        finished_at = CASE WHEN :run_final::bool THEN clock_timestamp() END,
        stopped_at = CASE WHEN :run_keep::bool THEN r.stopped_at WHEN :run_state::text = 'failed'
            THEN coalesce(r.stopped_at, clock_timestamp()) END
    FROM g WHERE r.id = g.run)"""
_ATTEMPT = """,
tried AS (
    INSERT INTO attempt (step_id, number, outcome, input, output, error, log, worker, code_version, started_at,
        finished_at)
    SELECT g.step, :a_number, :a_outcome, :a_input::jsonb, :a_output::jsonb, :a_error::jsonb, :a_log::jsonb,
        :a_worker::uuid, :a_code, :a_started::timestamptz, greatest(clock_timestamp(), :a_started::timestamptz)
    FROM g)"""
_CLOSED = """,
joined AS (
    UPDATE branch p SET open = p.open - 1, revision = p.revision + 1,
        cursor = jsonb_set(p.cursor, '{steps}', to_jsonb((p.cursor ->> 'steps')::int + :branch_steps::int))
    FROM g WHERE p.id = g.parent),
behind AS (
    UPDATE step j SET wake = j.wake + 1, due_at = clock_timestamp(),
        state = CASE WHEN j.state <> 'waiting' THEN j.state WHEN :stopped::bool THEN 'held' ELSE 'ready' END
    FROM g WHERE j.id = :join_step AND j.state IN ('ready', 'running', 'waiting', 'held')
        AND (NOT :join_last::bool OR g.parent_open = 1))"""
_FORK = """,
forked AS (
    INSERT INTO branch (id, run_id, parent_id, frame, index, join_step, rest, revision, state, cursor, open, audit_seq,
        audit_head)
    SELECT f.id, g.run, g.branch, f.frame, f.index, :f_join::uuid, '', 0, 'open', f.cursor, 0, 0, f.head
    FROM g CROSS JOIN unnest(:f_ids::uuid[], :f_frames::text[], :f_indexes::int[], :f_cursors::jsonb[],
        :f_heads::bytea[]) AS f (id, frame, index, cursor, head)),
begun AS (
    INSERT INTO step (id, run_id, branch_id, key, ref, name, kind, function, state, due_at, attempt, failures, claim,
        crashes, generation, wake, queue, priority, caught, created_at)
    SELECT f.step, g.run, f.branch, f.frame, f.ref, f.name, 'start', '', :f_state::text, clock_timestamp(), 0, 0, 0, 0,
        0, 0, :f_queue, :f_priority, false, clock_timestamp()
    FROM g CROSS JOIN unnest(:f_steps::uuid[], :f_ids::uuid[], :f_frames::text[], :f_refs::text[], :f_names::text[])
        AS f (step, branch, frame, ref, name)),
opened AS (
    INSERT INTO audit_event (chain, seq, run, kind, actor, reason, at, data, hash)
    SELECT f.id, 0, g.run, 'branch.opened', :f_actor, '', :f_at::timestamptz, f.data, f.head
    FROM g CROSS JOIN unnest(:f_ids::uuid[], :f_datas::text[], :f_heads::bytea[]) AS f (id, data, head))"""
_OVER = """,
over AS (
    UPDATE step o SET state = 'cancelled', finished_at = clock_timestamp() FROM g
    WHERE o.run_id = g.run AND o.key = ANY(:over::text[]) AND o.branch_id = g.branch AND o.id <> g.step
        AND o.state IN ('ready', 'waiting', 'held'))"""
_WOKEN = """,
woken AS (
    UPDATE step w SET wake = w.wake + 1, due_at = clock_timestamp(),
        state = CASE WHEN w.state <> 'waiting' THEN w.state WHEN :stopped::bool THEN 'held' ELSE 'ready' END
    FROM g WHERE w.run_id = g.run AND w.key = :woken AND w.id <> g.step
        AND w.state IN ('ready', 'running', 'waiting', 'held'))"""
_MESSAGES = """,
consumed AS (
    UPDATE message m SET consumed_at = clock_timestamp(), step_id = g.step FROM g
    WHERE m.id = ANY(:messages::bigint[]) AND m.run_id = g.run)"""
_SUBSCRIBE = """,
subscribed AS (
    INSERT INTO subscription (step_id, index, type, source, correlate_from, correlate_hash)
    SELECT f.step, f.index, f.type, f.source, f.correlate_from, f.correlate_hash
    FROM g CROSS JOIN unnest(:s_steps::uuid[], :s_indexes::int[], :s_types::text[], :s_sources::text[],
        :s_froms::text[], :s_hashes::text[]) AS f (step, index, type, source, correlate_from, correlate_hash))"""
_UNSUBSCRIBE = """,
unsubscribed AS (DELETE FROM subscription u USING g WHERE u.step_id = g.step)"""
_UNDOING = """,
undoing AS (
    UPDATE undo u SET state = 'running', step_id = :undoing_step::uuid FROM g
    WHERE u.id = :undoing_id AND u.run_id = g.run AND u.state IN ('recorded', 'running'))"""
_UNDONE = """,
undone AS (UPDATE undo d SET state = 'done' FROM g WHERE d.step_id = g.step AND d.run_id = g.run)"""
OPTIONAL = {
    "run": _RUN,
    "attempt": _ATTEMPT,
    "closed": _CLOSED,
    "fork": _FORK,
    "over": _OVER,
    "woken": _WOKEN,
    "messages": _MESSAGES,
    "subscribe": _SUBSCRIBE,
    "unsubscribe": _UNSUBSCRIBE,
    "undoing": _UNDOING,
    "undone": _UNDONE,
}
# A try that runs again replaces what was recorded at the same place, as the newest.
UNDO = """,
undo{i} AS (
    INSERT INTO undo (run_id, place, key, ref, name, function, action_version_id, input, state, step_id)
    SELECT g.run, :u{i}_place, :u{i}_key, :u{i}_ref, :u{i}_name, :u{i}_function, :u{i}_action::uuid, :u{i}_input::jsonb,
        CASE WHEN :u{i}_step::uuid IS NULL THEN 'recorded' ELSE 'running' END, :u{i}_step::uuid
    FROM g ON CONFLICT (run_id, place) DO UPDATE SET id = EXCLUDED.id, key = EXCLUDED.key, input = EXCLUDED.input,
        function = EXCLUDED.function, action_version_id = EXCLUDED.action_version_id, state = EXCLUDED.state,
        step_id = EXCLUDED.step_id)"""
NEXT = """,
next{i} AS (
    INSERT INTO step (id, run_id, branch_id, key, ref, name, kind, function, state, due_at, attempt, failures, claim,
        crashes, generation, wake, leased_by, lease_expires_at, action_version_id, queue, priority, input, error,
        caught, created_at, started_at, finished_at)
    SELECT :n{i}_id, g.run, g.branch, :n{i}_key, :n{i}_ref, :n{i}_name, :n{i}_kind, :n{i}_function, :n{i}_state::text,
        coalesce(:n{i}_due::timestamptz, clock_timestamp()), 0, 0, :n{i}_claim, 0, :n{i}_generation, 0,
        :n{i}_worker::uuid,
        CASE WHEN :n{i}_state::text = 'running' THEN clock_timestamp() + make_interval(secs => :lease::float8) END,
        :n{i}_action::uuid, :n{i}_queue, :n{i}_priority, :n{i}_input::jsonb, :n{i}_error::jsonb, false,
        clock_timestamp(), CASE WHEN :n{i}_state::text = 'running' THEN clock_timestamp() END,
        CASE WHEN :n{i}_state::text = 'failed' THEN clock_timestamp() END
    FROM g)"""
# The usual step that follows: its writer goes on with it.
NEXT_AT_ONCE = """,
next{i} AS (
    INSERT INTO step (id, run_id, branch_id, key, ref, name, kind, function, state, due_at, attempt, failures, claim,
        crashes, generation, wake, leased_by, lease_expires_at, action_version_id, queue, priority, input, caught,
        created_at, started_at)
    SELECT :n{i}_id, g.run, g.branch, :n{i}_key, :n{i}_ref, :n{i}_name, :n{i}_kind, :n{i}_function, 'running',
        clock_timestamp(), 0, 0, :n{i}_claim, 0, :n{i}_generation, 0, :n{i}_worker,
        clock_timestamp() + make_interval(secs => :lease::float8), :n{i}_action, :n{i}_queue, :n{i}_priority,
        :n{i}_input, false, clock_timestamp(), clock_timestamp()
    FROM g)"""
LINK = """,
link{i} AS (
    INSERT INTO audit_event (chain, seq, run, kind, actor, reason, at, data, hash)
    SELECT g.branch, :l{i}_seq, g.run, :l{i}_kind, :l{i}_actor, :l{i}_reason, :l{i}_at, :l{i}_data, :l{i}_hash
    FROM g)"""
PAYLOAD = """,
pay{i} AS (
    INSERT INTO payload (run_id, digest, value) SELECT g.run, :p{i}_digest, :p{i}_value::jsonb FROM g
    ON CONFLICT (run_id, digest) DO NOTHING)"""


def guard(shape: "Shape") -> str:
    """Return the guard with the step and the branch, which every checkpoint writes."""
    text = _GUARD + (DONE_AND_MOVED_ON if shape.usual else DONE_AND_MOVED)
    locks = ["r"] if shape.run or shape.listens else []
    columns, joins, conditions = ", r.context AS run_context" if shape.shared else "", "", ""
    if shape.closed:
        locks.append("p")
        columns += ", p.id AS parent, p.open AS parent_open"
        joins = " JOIN branch p ON p.id = b.parent_id"
    if shape.not_last:
        conditions += " AND p.open > 1"
    if shape.listens:
        conditions += " AND r.mail_seq = :mail_seq"
    if shape.context:
        conditions += " AND r.context = :seen_context::jsonb"
    if shape.fork:
        text = text.replace("SET revision = b.revision + 1,", "SET revision = b.revision + 1, open = :f_open,")
    marks = {"columns": columns, "joins": joins, "conditions": conditions, "locks": ", ".join([*locks, "b", "s"])}
    for name, value in marks.items():
        text = text.replace(f"{{{name}}}", value)
    return text
