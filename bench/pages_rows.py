"""What an installation holds after a million runs: rows made by the server itself, a statement per table.

A table that was filled is left alone, so that a second call measures the same. Everything is drawn from a number, so
that every call makes the same rows. Dates count from the moment of the first statement.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db import models
from psycopg.types.json import Jsonb

from bench import pages_beside
from bench.pages_sizes import ACTIONS, DAYS, FLOWS, LINKS_EACH, LONG, LONG_STEPS, STEPS_EACH

DIGEST = "b" * 64

HELPERS = """
CREATE SCHEMA IF NOT EXISTS bench;
CREATE TABLE IF NOT EXISTS bench.base (began timestamptz, runs int);
CREATE TABLE IF NOT EXISTS bench.done (name text);
CREATE OR REPLACE FUNCTION bench.at(n int) RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT began - (runs - n) * interval '{days} days' / runs FROM bench.base $$;
CREATE OR REPLACE FUNCTION bench.id(at timestamptz, salt text) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(salt), 1, 3) || '8' || substr(md5(salt), 4, 15))::uuid $$;
CREATE OR REPLACE FUNCTION bench.run(n int) RETURNS uuid LANGUAGE sql STABLE AS
    $$ SELECT bench.id(bench.at(n), 'run' || n) $$;
CREATE OR REPLACE FUNCTION bench.definition(n int) RETURNS int LANGUAGE sql IMMUTABLE AS
    $$ SELECT floor(sqrt(abs(hashint4(n)::bigint) % {squares}))::int $$;
CREATE OR REPLACE FUNCTION bench.name(n int) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN bench.definition(n) < {flows} THEN 'bench-flow-' || bench.definition(n)
        ELSE 'bench-act-' || bench.definition(n) - {flows} END $$;
CREATE OR REPLACE FUNCTION bench.state(n int) RETURNS text LANGUAGE sql STABLE AS
    $$ SELECT {state} FROM bench.base $$;
"""
STATE = """CASE WHEN n % 50 = 0 OR n % 40 = 1 THEN 'failed' WHEN n % 50 = 2 THEN 'cancelled'
    WHEN n > runs - 4000 AND n % 4 = 3 THEN CASE WHEN n % 16 = 7 THEN 'running' WHEN n % 32 = 15 THEN 'pending'
        WHEN n % 64 = 31 THEN 'suspended' ELSE 'waiting' END
    ELSE 'succeeded' END"""
FINISHED = "CASE WHEN n % 50 = 2 THEN 'cancelled' ELSE 'succeeded' END"  # nothing that a worker would take up
SIZES = {"days": DAYS, "flows": FLOWS, "actions": ACTIONS, "squares": (FLOWS + ACTIONS) ** 2, "links": LINKS_EACH}
ERROR = """jsonb_build_object('type', 'https://serverlessworkflow.io/spec/1.0.0/errors/runtime', 'status', 500,
    'title', 'declined', 'code', (ARRAY['declined', 'timeout', 'refused', 'unavailable'])[1 + n / 50 % 4],
    'message', 'Card ' || n || ' was declined by the bank', 'detail', 'Card ' || n || ' was declined by the bank',
    'instance', '/do/1/b', 'retryable', false)"""
DONE = "bench.state(n) IN ('succeeded', 'cancelled')"
RUNS = {
    "id": "bench.run(n)",
    "kind": "CASE WHEN bench.definition(n) < {flows} THEN 'workflow' ELSE 'action' END",
    "workflow_version_id": "(SELECT v.id FROM workflow_version v JOIN workflow w ON w.id = v.workflow_id "
    "WHERE w.name = bench.name(n) AND v.version = '1.0.0')",
    "action_version_id": "(SELECT v.id FROM action_version v JOIN action a ON a.id = v.action_id "
    "WHERE a.name = bench.name(n) AND v.version = '1.0.0')",
    "name": "bench.name(n)",
    "state": "bench.state(n)",
    "reason": "CASE bench.state(n) WHEN 'failed' THEN CASE WHEN n % 500 = 0 THEN 'timed_out' ELSE '' END "
    "WHEN 'waiting' THEN (ARRAY['timer', 'person', 'event', 'back_off', 'child'])[1 + n % 5] ELSE '' END",
    "input": "jsonb_build_object('order', n, 'email', 'someone' || n || '@example.com')",
    "output": f"CASE WHEN {DONE} THEN jsonb_build_object('receipt', n) END",
    "error": f"CASE bench.state(n) WHEN 'failed' THEN {ERROR} END",
    "title": "CASE WHEN n % 3 = 0 THEN 'Order ' || n || ' of usr_' || n % 5000 ELSE '' END",
    "key": "CASE WHEN n % 2 = 0 THEN 'order/' || n ELSE '' END",
    "tags": "CASE WHEN n % 5 = 0 THEN ARRAY['region=' || (ARRAY['eu', 'us', 'asia'])[1 + n % 3], "
    "'customer=' || n % 20000] WHEN n % 10007 = 1 THEN ARRAY['vip'] ELSE '{{}}' END",
    "trigger": "(ARRAY['api', 'schedule', 'event', 'web'])[1 + n % 4]",
    "actor": "'user:someone' || n % 20",
    "created_at": "bench.at(n)",
    "started_at": "bench.at(n) + interval '20 ms'",
    "finished_at": f"CASE WHEN {DONE} THEN bench.at(n) + interval '1 s' * (1 + n % 90) END",
    "stopped_at": "CASE WHEN bench.state(n) IN ('failed', 'suspended') THEN bench.at(n) + interval '9 s' END",
    "resolved_at": "CASE WHEN bench.state(n) = 'failed' AND n % 50 <> 0 THEN bench.at(n) + interval '1 day' END",
}
BRANCHES = {
    "id": "bench.id(bench.at(n), 'branch' || n)",
    "run_id": "bench.run(n)",
    "state": f"CASE WHEN {DONE} THEN 'closed' ELSE 'open' END",
    "revision": "9",
    "audit_seq": "{links}",
    "audit_head": r"'\x00'",
}
STEP = "(ARRAY['a', 'b', 'c'])[1 + s]"
LAST = f"s = {STEPS_EACH - 1}"
STEP_STATE = f"""CASE WHEN NOT ({LAST}) THEN 'succeeded' ELSE CASE bench.state(n) WHEN 'cancelled' THEN 'cancelled'
    WHEN 'waiting' THEN CASE WHEN n % 5 = 0 THEN 'ready' ELSE 'waiting' END WHEN 'running' THEN 'running'
    WHEN 'suspended' THEN 'held' WHEN 'pending' THEN 'ready' WHEN 'failed' THEN 'failed' ELSE 'succeeded' END END"""
PERSON = f"{LAST} AND bench.state(n) = 'waiting' AND n % 5 = 1"
STEPS = {
    "id": "bench.id(bench.at(n) + s * interval '10 ms', 'step' || n || '.' || s)",
    "run_id": "bench.run(n)",
    "branch_id": "bench.id(bench.at(n), 'branch' || n)",
    "key": f"'/do/' || s || '/' || {STEP}",
    "ref": f"'/do/' || s || '/' || {STEP}",
    "name": STEP,
    "kind": "'call'",
    "function": f"CASE WHEN {PERSON} THEN 'approval:1.0.0' ELSE 'bench-act-' || n % {{actions}} || ':1.0.0' END",
    "state": STEP_STATE,
    "due_at": "bench.at(n) + s * interval '10 ms'",
    "attempt": "1",
    "leased_by": f"CASE WHEN {STEP_STATE} = 'running' THEN gen_random_uuid() END",
    "lease_expires_at": f"CASE WHEN {STEP_STATE} = 'running' THEN now() END",
    "action_version_id": f"CASE WHEN {PERSON} THEN NULL ELSE (SELECT v.id FROM action_version v "
    "JOIN action a ON a.id = v.action_id WHERE a.name = 'bench-act-' || n % {actions} "
    "AND v.version = '1.0.0') END",
    "input": f"CASE WHEN {PERSON} THEN jsonb_build_object('title', 'Refund order ' || n, 'assignees', "
    "'{{}}'::jsonb) ELSE jsonb_build_object('n', n) END",
    "output": f"CASE WHEN {STEP_STATE} = 'succeeded' THEN jsonb_build_object('n', n) END",
    "error": f"CASE WHEN {STEP_STATE} = 'failed' THEN {ERROR} END",
    "created_at": "bench.at(n) + s * interval '10 ms'",
    "started_at": "bench.at(n) + s * interval '10 ms'",
    "finished_at": f"CASE WHEN {STEP_STATE} IN ('succeeded', 'failed', 'cancelled') "
    "THEN bench.at(n) + interval '1 s' END",
}
ATTEMPTS = {  # of every tenth run, whose first step failed once
    "step_id": "bench.id(bench.at(n), 'step' || n || '.0')",
    "number": "1 + s",
    "outcome": "CASE s WHEN 0 THEN 'failed' ELSE 'succeeded' END",
    "input": "jsonb_build_object('n', n)",
    "error": f"CASE s WHEN 0 THEN {ERROR} END",
    "started_at": "bench.at(n) + s * interval '1 ms'",
    "finished_at": "bench.at(n) + (1 + s) * interval '1 ms'",
}
LINKS = {
    "chain": "bench.id(bench.at(n), 'branch' || n)",
    "seq": "s",
    "run": "bench.run(n)",
    "kind": "(ARRAY['run.started', 'step.succeeded', 'step.succeeded', 'run.succeeded'])[1 + s]",
    "actor": "CASE s WHEN 0 THEN 'user:someone' || n % 20 ELSE 'worker:' || n % 4 END",
    "reason": "''",
    "at": "bench.at(n) + s * interval '10 ms'",
    "data": """'{{"step":"/do/0/a","attempt":1,"name":"a","trigger":"api"}}'""",
    "hash": r"'\x00'",
}
EVENTS = {
    "id": "bench.id(bench.at(n), 'event' || n)",
    "source": "'/shop'",
    "event_id": "'e' || n",
    "type": "'order.' || (ARRAY['paid', 'placed', 'sent', 'returned'])[1 + n % 4]",
    "subject": "CASE WHEN n % 3 = 0 THEN 'order/' || n ELSE '' END",
    "envelope": "jsonb_build_object('id', 'e' || n, 'source', '/shop', 'type', 'order.paid', 'data', n)",
    "run_id": "CASE WHEN n % 7 = 0 THEN bench.run(n) END",
    "via": "(ARRAY['api', 'webhook', 'endpoint', 'emit'])[1 + n % 4]",
    "received_at": "bench.at(n)",
}
DELIVERIES = {
    "id": "bench.id(bench.at(n), 'delivery' || n)",
    "endpoint_id": "(SELECT id FROM endpoint ORDER BY name OFFSET n % 2 LIMIT 1)",
    "message_id": "'m' || n",
    "outcome": "(ARRAY['accepted', 'accepted', 'replayed', 'refused'])[1 + n % 4]",
    "reason": "CASE n % 4 WHEN 3 THEN 'the signature is wrong' ELSE '' END",
    "status": "CASE n % 4 WHEN 3 THEN 401 ELSE 202 END",
    "bytes": "n % 9000",
    "event_id": "CASE WHEN n % 4 < 2 THEN bench.id(bench.at(n), 'event' || n) END",
    "received_at": "bench.at(n)",
}
ENTRIES = {
    "namespace": "(ARRAY['default', 'customers', 'orders'])[1 + n % 3]",
    "key": "'usr_' || n",
    "value": "jsonb_build_object('status', 'active', 'orders', n)",
    "version": "1 + n % 9",
    "updated_at": "bench.at(n)",
}
WORKERS = {
    "id": "gen_random_uuid()",
    "host": "'host' || n",
    "pid": "n",
    "code_version": "'1.0.0'",
    "queues": """'["default"]'""",
    "started_at": "now()",
    "heartbeat_at": "now()",
    "stopped_at": "CASE WHEN n > 8 THEN now() END",
}
LONG_AT = "(SELECT began FROM bench.base) - interval '20 days'"
LONG_RUN = RUNS | {
    "id": f"'{LONG}'",
    "kind": "'workflow'",
    "workflow_version_id": "(SELECT v.id FROM workflow_version v JOIN workflow w ON w.id = v.workflow_id "
    "WHERE w.name = 'bench-long')",
    "action_version_id": "NULL",
    "name": "'bench-long'",
    "state": "'succeeded'",
    "reason": "''",
    "output": f"""'{{{{"$payload": "{DIGEST}"}}}}'""",
    "error": "NULL",
    "key": "'long'",
    "created_at": LONG_AT,
    "started_at": LONG_AT,
    "finished_at": "(SELECT began FROM bench.base)",
    "stopped_at": "NULL",
    "resolved_at": "NULL",
}
LONG_BRANCH = BRANCHES | {"id": f"'{LONG}'", "run_id": f"'{LONG}'", "state": "'closed'"}
LONG_STEP_AT = f"{LONG_AT} + n * interval '20 days' / {LONG_STEPS}"
LONG_STEP = {
    "id": "bench.id('2025-01-01', 'long' || n)",
    "run_id": f"'{LONG}'",
    "branch_id": f"'{LONG}'",
    "key": "'/do/' || n || '/s' || n",
    "ref": "'/do/' || n || '/s' || n",
    "name": "'s' || n",
    "kind": "'call'",
    "function": "'bench-act-0:1.0.0'",
    "state": "'succeeded'",
    "due_at": LONG_STEP_AT,
    "attempt": "3",
    "failures": "2",
    "action_version_id": "(SELECT v.id FROM action_version v JOIN action a ON a.id = v.action_id "
    "WHERE a.name = 'bench-act-0')",
    "input": "jsonb_build_object('n', n)",
    "output": f"""CASE n WHEN 7 THEN '{{{{"$payload": "{DIGEST}"}}}}' ELSE jsonb_build_object('n', n) END""",
    "created_at": LONG_STEP_AT,
    "started_at": LONG_STEP_AT,
    "finished_at": f"{LONG_STEP_AT} + interval '2 days 1 s'",
}
LONG_ATTEMPT = {
    "step_id": "bench.id('2025-01-01', 'long' || n)",
    "number": "1 + s",
    "outcome": "CASE WHEN s < 2 THEN 'failed' ELSE 'succeeded' END",
    "input": "jsonb_build_object('n', n)",
    "error": f"CASE WHEN s < 2 THEN {ERROR} END",
    "log": """'[{{"at": 0.5, "level": "info", "message": "a line of its log"}}]'""",
    "started_at": f"{LONG_STEP_AT} + s * interval '1 day'",
    "finished_at": f"{LONG_STEP_AT} + s * interval '1 day' + interval '1 s'",
}
LONG_LINK = LINKS | {
    "chain": f"'{LONG}'",
    "seq": "n",
    "run": f"'{LONG}'",
    "kind": "'step.succeeded'",
    "at": LONG_STEP_AT,
}


def fill(server: Any, runs: int) -> None:
    """Fill the tables that were not; `runs` counts when there is nothing yet."""
    runs = _begin(server, runs, STATE)
    _forget_old(server)
    total, recent = f"generate_series(1, {runs}) n", f"generate_series({runs - runs // 5 + 1}, {runs}) n"
    half = f"generate_series({runs // 2 + 1}, {runs}) n"
    for table in (
        ("run", RUNS, total),
        *_of_runs(recent),
        ("event", EVENTS, half),
        ("delivery", DELIVERIES, recent),
        ("entry", ENTRIES, recent),
        ("worker", WORKERS, "generate_series(1, 200) n"),
        *pages_beside.tables(runs),
    ):
        _fill_once(server, *table)
    if not server.execute("SELECT 1 FROM run WHERE id = %s", [LONG]).fetchone():
        with server.transaction():
            _long_run(server, SIZES)
    settle(server)


def fill_finished(server: Any, runs: int, whole: int) -> None:
    """Fill with finished runs and nothing else; the newest `whole` of them with steps, attempts and audit."""
    runs = _begin(server, runs, FINISHED)
    first = runs - whole + 1
    _fill_once(server, "run", RUNS, f"generate_series(1, {runs}) n")
    for table in _of_runs(f"generate_series({first}, {runs}) n"):
        _fill_once(server, *table)
    tenth = f"generate_series({first}, {runs}, 10) n, generate_series(0, 1) s"
    _fill_once(server, "attempt", ATTEMPTS, tenth)


def there(server: Any) -> tuple[int, timedelta]:
    """Return how many runs there are, and how old the newest is."""
    runs, age = server.execute("SELECT runs, now() - began FROM bench.base").fetchone()
    return runs, age


def settle(server: Any) -> None:
    """Leave the tables as a cluster that is up does: its workers alive, everything counted and vacuumed."""
    server.execute("UPDATE worker SET heartbeat_at = now() WHERE stopped_at IS NULL")
    server.execute("UPDATE rollup_place SET counted_at = now()")
    server.execute("VACUUM ANALYZE")


def _begin(server: Any, runs: int, state: str) -> int:
    """Make the functions; return how many runs there are to be, which the first call decides."""
    server.execute("SET session_replication_role = replica")  # no triggers and no checks of foreign keys: minutes less
    server.execute("SET synchronous_commit = off")
    server.execute(HELPERS.format(state=state, **SIZES))
    server.execute("INSERT INTO bench.base SELECT now(), %s WHERE NOT EXISTS (SELECT 1 FROM bench.base)", [runs])
    return there(server)[0]


def _of_runs(source: str) -> Iterator[tuple[str, Mapping[str, str], str]]:
    """Return what belongs to the runs of these numbers."""
    yield "branch", BRANCHES, source
    yield "step", STEPS, f"{source}, generate_series(0, {STEPS_EACH - 1}) s"
    yield "audit_event", LINKS, f"{source}, generate_series(0, {LINKS_EACH - 1}) s"


def _fill_once(server: Any, name: str, columns: Mapping[str, str], source: str) -> None:
    if not server.execute("SELECT 1 FROM bench.done WHERE name = %s", [name]).fetchone():
        with server.transaction():
            _insert(server, name.partition(":")[0], columns, source, SIZES)
            server.execute("INSERT INTO bench.done VALUES (%s)", [name])


def _forget_old(server: Any) -> None:
    """Empty what charts show when it ends more than an hour ago."""
    if server.execute("SELECT max(begins_at) < now() - interval '1 hour' FROM gauge WHERE span = 60").fetchone()[0]:
        with server.transaction():
            server.execute(f"TRUNCATE {', '.join(pages_beside.RENEWED)}")
            server.execute("DELETE FROM bench.done WHERE name = ANY(%s)", [list(pages_beside.RENEWED)])


def _long_run(server: Any, sizes: Mapping[str, int]) -> None:
    steps = f"generate_series(0, {LONG_STEPS - 1}) n"
    _insert(server, "run", LONG_RUN, "generate_series(1, 1) n", sizes)
    _insert(server, "branch", LONG_BRANCH, "generate_series(1, 1) n", sizes)
    _insert(server, "step", LONG_STEP, steps, sizes)
    _insert(server, "attempt", LONG_ATTEMPT, f"{steps}, generate_series(0, 2) s", sizes)
    _insert(server, "audit_event", LONG_LINK, f"generate_series(0, {3 * LONG_STEPS}) n, generate_series(1, 1) s", sizes)
    value = Jsonb({"lines": ["a line of a large answer " * 4] * 10_000})
    server.execute("INSERT INTO payload (run_id, digest, value) VALUES (%s, %s, %s)", [LONG, DIGEST, value])


def _insert(server: Any, table: str, columns: Mapping[str, str], source: str, sizes: Mapping[str, int]) -> None:
    """Insert what the expressions give for each number of the source; the rest are the model's defaults."""
    given = {name: expression.format(**sizes) for name, expression in columns.items()}
    defaults = {str(field.column): field.get_default() for field in _left(table, given)}
    values = [Jsonb(value) if isinstance(value, dict | list) else value for value in defaults.values()]
    names, expressions = [*given, *defaults], [text.replace("%", "%%") for text in given.values()]
    expressions += ["%s"] * len(defaults)
    server.execute(f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(expressions)} FROM {source}", values)


def _left(table: str, given: Mapping[str, str]) -> list["models.Field[Any, Any]"]:
    known = (model._meta for model in apps.get_models())  # noqa: SLF001 - Django's public name for it
    meta = next(meta for meta in known if meta.db_table == table)
    fields = [field for field in meta.concrete_fields if field.column not in given and not field.null]
    return [field for field in fields if not isinstance(field, models.BigAutoField)]
