"""The machine's own limit: pgbench on the same server, writing the rows of a checkpoint and nothing else.

A transaction is what the middle of a run costs: the step is finished, the branch moves on, the next step and a link of
the audit trail are inserted, in tables with the same columns, indexes and storage as ours, from one prepared statement.
Nothing is read besides, no Python runs, and each client has a branch of its own. The last line is the answer, as JSON.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench import harness, steps

CLIENTS = (1, 2, 4, 8)
SECONDS, QUICK_SECONDS = 3, 1
TABLES = ("run", "branch", "step", "audit_event")
WORKER = "'00000000-0000-7000-8000-000000000001'"
CHANGED = {
    "id": "uuidv7()",
    "key": "'/do/' || moved.audit_seq || '/s'",
    "ref": "'/do/' || moved.audit_seq || '/s'",
    "state": "'running'",
    "leased_by": WORKER,
    "lease_expires_at": "clock_timestamp() + interval '30 s'",
    "created_at": "clock_timestamp()",
    "started_at": "clock_timestamp()",
    "due_at": "clock_timestamp()",
    "finished_at": "NULL",
    "output": "NULL",
}
CHECKPOINT = r"""
\if :begun = 0
SELECT id AS step FROM physical.step ORDER BY id OFFSET :client_id LIMIT 1 \gset
\set begun 1
\endif
WITH done AS (
    UPDATE physical.step SET state = 'succeeded', output = '{{"n": 1}}', leased_by = NULL, lease_expires_at = NULL,
        finished_at = clock_timestamp()
    WHERE id = :step::uuid RETURNING *),
moved AS (
    UPDATE physical.branch b SET revision = b.revision + 1, audit_seq = b.audit_seq + 1,
        audit_head = sha256(b.audit_head)
    FROM done WHERE b.id = done.branch_id RETURNING b.id, b.run_id, b.audit_seq, b.audit_head),
link AS (
    INSERT INTO physical.audit_event (chain, seq, run, kind, actor, reason, at, data, hash)
    SELECT id, audit_seq, run_id, 'step.succeeded', 'worker:00000000-0000-7000-8000-000000000001', '',
        clock_timestamp(), '{{"step": "/do/0/s0", "attempt": 1, "output": "{digest}"}}', audit_head FROM moved)
INSERT INTO physical.step ({columns}) SELECT {values} FROM done, moved RETURNING id AS step \gset
"""
SINGLE = "INSERT INTO physical.single (at) VALUES (clock_timestamp());\n"


def main() -> None:
    """Make the tables, measure, drop them."""
    quick = "--quick" in sys.argv
    harness.prepare()
    with harness.superuser() as server, harness.cluster(1):
        harness.empty(server)
        steps.backlog("bench-noop-outside-chain", max(CLIENTS))
    with harness.superuser() as server:
        _make(server)
        seconds = QUICK_SECONDS if quick else SECONDS
        try:
            script = _script(server)
            answer = {
                "checkpoints_per_s": {n: _pgbench(script, n, seconds) for n in CLIENTS},
                "wal_bytes_per_checkpoint": _wal_bytes(server, script, seconds),
                "single_rows_per_s": {n: _pgbench(SINGLE, n, seconds) for n in (min(CLIENTS), max(CLIENTS))},
            }
        finally:
            server.execute("DROP SCHEMA physical CASCADE")
            harness.empty(server)
    print("\n" + json.dumps(answer), flush=True)


def _make(server: Any) -> None:
    """Copy a run for each client, with its branch and the step in its middle."""
    server.execute("DROP SCHEMA IF EXISTS physical CASCADE")
    server.execute("CREATE SCHEMA physical")
    for table in TABLES:
        server.execute(f"CREATE TABLE physical.{table} (LIKE public.{table} INCLUDING ALL)")
    server.execute("INSERT INTO physical.run SELECT * FROM run")
    server.execute("INSERT INTO physical.branch SELECT * FROM branch")
    server.execute("INSERT INTO physical.step SELECT DISTINCT ON (run_id) * FROM step ORDER BY run_id, id")
    server.execute("CREATE TABLE physical.single (id bigserial PRIMARY KEY, at timestamptz)")
    server.execute("VACUUM ANALYZE physical.run, physical.branch, physical.step")
    server.execute("CHECKPOINT")


def _script(server: Any) -> str:
    query = "SELECT attname FROM pg_attribute WHERE attrelid = 'physical.step'::regclass AND attnum > 0 ORDER BY attnum"
    columns = [name for (name,) in server.execute(query)]
    values = [CHANGED.get(name, f"done.{name}") for name in columns]
    return CHECKPOINT.format(columns=", ".join(columns), values=", ".join(values), digest="b" * 64)


def _wal_bytes(server: Any, script: str, seconds: int) -> float:
    """Return what a transaction writes to the log, beside which the same figure of dotdo tells how alike they are."""
    before = harness.counters(server).wal_bytes
    rate = _pgbench(script, max(CLIENTS), seconds)
    return (harness.counters(server).wal_bytes - before) / (rate * seconds)


def _pgbench(script: str, clients: int, seconds: int) -> float:
    """Return transactions per second."""
    from django.conf import settings

    from dotdo_site import embedded_postgres, postgres_programs

    url = urlsplit(embedded_postgres.superuser_url(settings.VAR_DIR))
    options = parse_qs(url.query)
    where = ["-h", options["host"][0], "-p", options["port"][0], "-U", url.username or "", "dotdo"]
    program = Path(postgres_programs.programs()) / "pgbench"
    how = ["-n", "-M", "prepared", "-D", "begun=0", "-f", "-", "-c", str(clients), "-T", str(seconds)]
    done = subprocess.run([program, *how, *where], input=script, capture_output=True, text=True, check=False)
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"pgbench failed: {done.stderr.strip()[-500:]}")
    return float(found[1])


if __name__ == "__main__":
    main()
