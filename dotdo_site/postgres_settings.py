"""How the embedded PostgreSQL is set up: its parameters, roles and their limits."""

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
ROLES_SQL = f"""
SET client_min_messages = warning;
SELECT pg_advisory_lock(1);  -- several processes may start or join at once
SELECT 'CREATE ROLE ' || role || ' LOGIN' FROM unnest(ARRAY['{OWNER}', '{APPLICATION}']) AS role
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \\gexec
ALTER ROLE {OWNER} SET lock_timeout = '3s';
ALTER ROLE {APPLICATION} SET statement_timeout = '30s';
ALTER ROLE {APPLICATION} SET lock_timeout = '3s';
ALTER ROLE {APPLICATION} SET idle_in_transaction_session_timeout = '60s';
SELECT 'CREATE DATABASE {DATABASE} OWNER {OWNER}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;
GRANT CONNECT ON DATABASE {DATABASE} TO {APPLICATION};
"""  # noqa: S608 - the names are constants above
