"""A real PgBouncer in transaction mode, as Debian packages it."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from dotdo_site import embedded_postgres, postgres_programs

SIZE = 3
CONFIGURATION = """
[databases]
dotdo = host={sockets} port=5432 dbname=dotdo user=dotdo
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 200
logfile = {folder}/log
admin_users = dotdo
"""


def program() -> str:
    """Find PgBouncer, or skip the test and say how to get it."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip("PgBouncer is not installed: sudo apt-get install -y --no-install-recommends pgbouncer")
    return found


def keeps_prepared_statements() -> bool:
    """Tell whether this PgBouncer knows what its clients prepared: since 1.21."""
    said = subprocess.run([program(), "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) >= (1, 21)


@contextmanager
def pgbouncer(var: Path, *more: str) -> Iterator[int]:
    """Run PgBouncer in front of an embedded server, with few connections of its own; give its port."""
    account = postgres_programs.account()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = Path(tempfile.mkdtemp(prefix="dotdo-pgbouncer-", dir="/tmp"))
    ini = folder / "pgbouncer.ini"
    sockets = embedded_postgres.locate(var).sockets
    text = CONFIGURATION.format(sockets=sockets, port=port, size=SIZE, folder=folder)
    ini.write_text(text + "\n".join(more) + "\n")
    for path in (folder, ini):
        os.chown(path, account.uid, account.gid)
    process = subprocess.Popen([program(), "-q", str(ini)], cwd=folder, **account.switch)  # type: ignore[call-overload]
    try:
        _await(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def _await(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(host="127.0.0.1", port=port, dbname="dotdo", user="dotdo").close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
