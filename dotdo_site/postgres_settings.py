"""How the embedded PostgreSQL is set up: its parameters, roles and their limits."""

from typing import NamedTuple


class Limit(NamedTuple):
    """How long sessions of the application may do something, and what goes wrong without a limit."""

    value: str
    without: str


SUPERUSER, OWNER, APPLICATION, DATABASE = "postgres", "dotdo_owner", "dotdo", "dotdo"
PORT = 5432  # only part of the socket's name: the server listens on no network address
CONFIGURATION = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "on",  # of whole pages: less to write and to sync
    "max_wal_size": "2GB",
    "jit": "off",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %u ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
LIMITS = {
    "statement_timeout": Limit("30s", "a query that never ends keeps its locks and its connection"),
    "lock_timeout": Limit("3s", "a request waits for a lock for as long as somebody else holds it"),
    "idle_in_transaction_session_timeout": Limit("60s", "a worker that freezes while it holds a row stops the run"),
    "transaction_timeout": Limit("600s", "a transaction can keep its locks for ever, one statement after the other"),
}
_WANTED = ", ".join(f"('{name}', '{limit.value}')" for name, limit in LIMITS.items())
ROLES_SQL = f"""
SET client_min_messages = warning;
SELECT pg_advisory_lock(1);  -- several processes may start or join at once
SELECT 'CREATE ROLE ' || role || ' LOGIN' FROM unnest(ARRAY['{OWNER}', '{APPLICATION}']) AS role
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \\gexec
ALTER ROLE {OWNER} SET lock_timeout = '3s';
SELECT format('ALTER ROLE {APPLICATION} SET %I = %L', name, value)
  FROM (VALUES {_WANTED}) AS wanted (name, value) JOIN pg_settings USING (name) \\gexec
SELECT 'CREATE DATABASE {DATABASE} OWNER {OWNER}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;
GRANT CONNECT ON DATABASE {DATABASE} TO {APPLICATION};
"""  # noqa: S608 - the names are constants above
