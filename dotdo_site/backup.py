"""Backup and restore: the database and the keys that decrypt it, together in one private file.

A backup is a tar of `manifest.json`, `database.dump` (pg_dump's custom format) and `keys.json`. A restore happens in
one transaction: the whole content is replaced, or nothing changes.
"""

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dotdo_site import embedded_postgres, keys
from dotdo_site.postgres_programs import INSTALLATIONS, clean_environment, programs

FORMAT = 1
DUMP, MANIFEST, KEYS = "database.dump", "manifest.json", "keys.json"
# Large databases take longer than a role's limits allow. A dump lifts those that its own version knows, and later.
BEGIN_SQL = """
\\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT set_config(name, '0', false) FROM pg_settings
 WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout');
"""
# Empties the public schema without owning it (before PostgreSQL 15 a superuser does). What depends as 'e' belongs to an
# extension and stays; as 'i' it is part of something else (a sequence of its identity column) and goes only with that.
EMPTY_SQL = """
DO $$
DECLARE object record;
BEGIN
  FOR object IN
    SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                          WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
           c.oid::regclass::text AS name, c.oid AS id FROM pg_class c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('e', 'i'))
  LOOP
    IF EXISTS (SELECT FROM pg_class WHERE oid = object.id) THEN
      EXECUTE format('DROP %s %s CASCADE', object.kind, object.name);
    END IF;
  END LOOP;
  FOR object IN
    SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END AS kind,
           p.oid::regprocedure::text AS name FROM pg_proc p
     WHERE p.pronamespace = 'public'::regnamespace
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype IN ('e', 'i'))
  LOOP
    EXECUTE format('DROP %s IF EXISTS %s CASCADE', object.kind, object.name);
  END LOOP;
  FOR object IN
    SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END AS kind, t.oid::regtype::text AS name FROM pg_type t
     WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd', 'r') AND t.typrelid = 0
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype IN ('e', 'i'))
  LOOP
    EXECUTE format('DROP %s IF EXISTS %s CASCADE', object.kind, object.name);
  END LOOP;
END $$;
"""
# What was true of the server that the dump came from and is not of this one: its workers are gone, so what they held is
# free at once, and the next worker finds a strange server and raises the epoch (`workflows/epoch.py`).
SETTLE_SQL = """
DO $$
BEGIN
  IF to_regclass('public.step') IS NOT NULL AND to_regclass('public.worker') IS NOT NULL THEN
    UPDATE public.step SET lease_expires_at = now() - interval '1 microsecond' WHERE state = 'running';
    UPDATE public.worker SET stopped_at = now() WHERE stopped_at IS NULL;
  END IF;
  IF to_regclass('public.epoch') IS NOT NULL THEN
    UPDATE public.epoch SET server = 'restored', timeline = '';
  END IF;
END $$;
"""


class BackupError(Exception):
    """The backup or restore did not happen; the message says why."""


@dataclass(frozen=True)
class Source:
    """A database and the key file that belongs to it; `url` is its owner's."""

    url: str
    keys_file: Path


@contextmanager
def installation(var: Path) -> Iterator[Source]:
    """Give this installation's database, starting the embedded server for the duration if nobody else runs it."""
    keys_file = Path(os.environ.get("DOTDO_KEYS_FILE") or var / "keys" / "keys.json")
    if url := os.environ.get("DATABASE_URL"):
        yield Source(os.environ.get("DATABASE_OWNER_URL") or url, keys_file)
        return
    server = embedded_postgres.start(var, follow_parent=True)
    try:
        yield Source(embedded_postgres.owner_url(var), keys_file)
    finally:
        if server.process is not None:
            server.stop()


def create(source: Source, folder: Path, version: str, *, suffix: str = "") -> Path:
    """Write a backup into `folder`, also while dotdo runs, and return its path. Raises BackupError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"dotdo-{time.strftime('%Y%m%d-%H%M%S')}{suffix}.tar"
    server = _server_version(source.url)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as made:
        parts = Path(made)
        run_program(
            server, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", "-f", str(parts / DUMP), source.url
        )
        manifest = {
            "format": FORMAT,
            "version": version,
            "postgresql": server,
            "made_at": time.strftime("%FT%TZ", time.gmtime()),
        }
        (parts / MANIFEST).write_text(json.dumps(manifest, indent=1))
        if source.keys_file.exists():
            shutil.copyfile(source.keys_file, parts / KEYS)
        _pack(parts, path)
    return path


def read_manifest(path: Path) -> dict[str, Any]:
    """Read what a backup file says about itself. Raises BackupError for anything that is not one."""
    try:
        with tarfile.open(path) as tar:
            manifest = json.load(_member(tar, MANIFEST))
            _member(tar, DUMP)
    except (OSError, tarfile.TarError, ValueError) as error:
        raise BackupError(f"{path} is not a backup of dotdo: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BackupError(f"{path} has a format that this version cannot read: it was made by a newer dotdo.")
    return manifest


def check(path: Path) -> dict[str, Any]:
    """Read a backup to its end without restoring it, and return its manifest. Raises BackupError."""
    manifest = read_manifest(path)
    with _unpacked(path) as (dump, _):
        try:
            run_program(max(INSTALLATIONS), "pg_restore", "-f", os.devnull, str(dump))
        except BackupError as error:
            raise BackupError(f"{path} is damaged: {error}") from error
    return manifest


def has_content(source: Source) -> bool:
    """Tell whether the database holds any tables."""
    counted = _psql(source.url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    return counted.strip() != "0"


def restore(source: Source, path: Path) -> bool:
    """Replace the database's content and the keys with a backup's; return whether it held keys. Raises BackupError.

    Access rights are not part of a backup: migrate afterwards, which grants them for the roles of this installation.
    """
    read_manifest(path)
    with _unpacked(path) as (dump, saved_keys):
        _replace_content(source.url, dump)
    if saved_keys is not None:
        keys.write(source.keys_file, saved_keys)
    return saved_keys is not None


@contextmanager
def _unpacked(path: Path) -> Iterator[tuple[Path, dict[str, str] | None]]:
    """Give the dump as a file of its own, and the keys: whatever is wrong with either shows before it is used."""
    with tempfile.TemporaryDirectory() as made:
        dump = Path(made) / DUMP
        try:
            with tarfile.open(path) as tar, dump.open("wb") as file:
                shutil.copyfileobj(_member(tar, DUMP), file)
                saved_keys = json.load(_member(tar, KEYS)) if KEYS in tar.getnames() else None
        except (OSError, tarfile.TarError, ValueError) as error:
            raise BackupError(f"{path} cannot be unpacked: {error}") from error
        yield dump, saved_keys


def _replace_content(url: str, dump: Path) -> None:
    """Feed psql one transaction: empty the schema, what pg_restore makes of the dump, and what it means here."""
    server = _server_version(url)
    script = dump.with_suffix(".sql")
    run_program(server, "pg_restore", "--no-owner", "--no-privileges", "-f", str(script), str(dump))
    with script.open() as restored:
        text = BEGIN_SQL + EMPTY_SQL
        run_program(
            server,
            "psql",
            "-Xq",
            "--single-transaction",
            "-d",
            url,
            "-f",
            "-",
            feed=lambda out: _feed(out, text, restored),
        )


def _feed(out: IO[str], text: str, restored: IO[str]) -> None:
    out.write(text)
    shutil.copyfileobj(restored, out)
    out.write(SETTLE_SQL)


def _server_version(url: str) -> int:
    return int(_psql(url, "SHOW server_version_num").strip()) // 10_000


def _psql(url: str, sql: str) -> str:
    return run_program(max(INSTALLATIONS), "psql", "-XAtq", "-d", url, "-c", sql)


def run_program(server: int, program: str, *arguments: str, feed: Callable[[IO[str]], None] | None = None) -> str:
    """Run the program of the major version that suits the server: newer ones write what older servers refuse."""
    major = min(version for version in INSTALLATIONS if version >= min(server, max(INSTALLATIONS)))
    process = subprocess.Popen(
        [str(programs(major) / program), *arguments],
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        if feed is not None and process.stdin is not None:
            feed(process.stdin)
    except BrokenPipeError:
        pass  # it ended early and says why below
    output, errors = process.communicate()
    if process.returncode != 0:
        raise BackupError(f"{program}: {errors.strip()}")
    return output


def _pack(parts: Path, path: Path) -> None:
    fresh = parts / "backup.tar"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name in (MANIFEST, KEYS, DUMP):
                if (parts / name).exists():
                    tar.add(parts / name, arcname=name)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        file = tar.extractfile(name)
    except KeyError as error:
        raise tarfile.TarError(f"it holds no {name}") from error
    if file is None:
        raise tarfile.TarError(f"{name} in it is not a file")
    return file
