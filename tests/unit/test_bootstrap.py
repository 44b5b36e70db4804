"""The launcher's decisions that need no process: versions, ports, lists, output, the table of processes."""

import ast
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dotdo_site.launch import environment, machine, prepare, processes, up
from dotdo_site.launch.checkout import ROOT, LaunchError
from dotdo_site.launch.output import Output
from dotdo_site.launch.verbs import VERBS

BOOTSTRAP = ROOT / "dotdo_site" / "bootstrap.py"
OLD_PYTHON = (
    "import runpy, sys; sys.version_info = (3, 9, 2, 'final', 0); runpy.run_path({path!r}, run_name='__main__')"
)


def test_an_old_python_can_read_the_front_door() -> None:
    ast.parse(BOOTSTRAP.read_text(), feature_version=(3, 6))


def test_an_old_python_is_told_what_to_install(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OLD_PYTHON.format(path=str(BOOTSTRAP))]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer, and this is 3.9" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_old_python_hands_over_to_a_newer_one(tmp_path: Path) -> None:
    newer = tmp_path / "python3.12"
    newer.write_text('#!/bin/sh\necho "newer: $*"\n')
    newer.chmod(0o755)
    command = [sys.executable, "-c", OLD_PYTHON.format(path=str(BOOTSTRAP)), "help"]
    done = subprocess.run(command, env={"PATH": f"{tmp_path}:/bin"}, capture_output=True, text=True, check=True)
    assert done.stdout == f"newer: {BOOTSTRAP} help\n"


def test_the_front_door_works_from_any_folder_and_without_the_packages() -> None:
    done = subprocess.run([sys.executable, "-S", str(BOOTSTRAP)], cwd="/", capture_output=True, text=True, check=True)
    assert "make up" in done.stdout


def test_processes_keep_their_bytecode_also_in_an_image_that_is_built_without(tmp_path: Path) -> None:
    newer = tmp_path / "python3.12"
    newer.write_text("#!/bin/sh\nenv\n")
    newer.chmod(0o755)
    command = [sys.executable, "-c", OLD_PYTHON.format(path=str(BOOTSTRAP)), "help"]
    given = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    assert "PYTHONDONTWRITEBYTECODE" not in done.stdout


def test_the_makefile_offers_exactly_the_verbs() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(VERBS)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_locked_package_has_a_hash_and_no_file_names_an_index(name: str) -> None:
    text = (ROOT / name).read_text()
    assert all("--hash=sha256:" in block for block in re.split(r"\n(?=\S)", text.strip()) if "==" in block)
    assert not re.search(r"https?://|--index|--find-links|--trusted", text)


def test_pins_ignore_hashes_and_comments(tmp_path: Path) -> None:
    listing = tmp_path / "requirements.txt"
    listing.write_text(
        "# a==0\na==1 \\\n    --hash=sha256:00\nb==2 ; sys_platform == 'win32' \\\n    --hash=sha256:11\n"
    )
    assert environment.pins(listing) == {"a==1", "b==2 ; sys_platform == 'win32'"}


@pytest.mark.parametrize("text", ["abc", "0", "-1", "65536", "8000 ", "8e3", "\u0668\u0660"])
def test_a_wrong_port_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(LaunchError, match="make up PORT=8001"):
        up.parse_port(text)


def test_a_port_in_use_is_named_together_with_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LaunchError, match=rf"Port {port} is in use.*PORT=(\d+)") as caught:
            machine.check_port(port)
    other = int(str(caught.value).rsplit("=", 1)[1])
    assert machine.port_is_free(other)


def test_a_full_disk_is_refused_before_anything_is_installed() -> None:
    with pytest.raises(LaunchError, match="MB free"):
        machine.check_disk(10**18)


def test_an_unknown_machine_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "sparc64")
    with pytest.raises(LaunchError, match="sparc64"):
        machine.check_platform()


def test_an_ordinary_user_gets_the_one_line_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LaunchError, match=r"\n  sudo apt-get install -y .*python3-venv$"):
        machine.install_system_packages(["python3-venv"], why="ensurepip is missing")


def test_the_stand_ins_run_only_where_their_ports_were_chosen_and_stop_last() -> None:
    assert [p.name for p in processes.table(8000, {})] == ["web", "cluster"]
    table = processes.table(8000, {"DOTDO_DEMO_HTTP_PORT": "1", "DOTDO_DEMO_SMTP_PORT": "2"})
    assert table[-1].name == "demo"
    assert table[-1].stop_stage > max(p.stop_stage for p in table[:-1])


def test_the_web_server_listens_on_loopback_only() -> None:
    argv = processes.gunicorn(8123, {})
    assert argv[argv.index("--bind") + 1] == "127.0.0.1:8123"


def test_loading_the_web_application_once_leaves_nothing_that_workers_must_not_share() -> None:
    assert "--preload" in processes.gunicorn(8000, {})
    code = (
        "import threading, dotdo_site.wsgi; from django.db import connection; "
        "print(connection.connection, threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None 1"


def test_production_gets_no_stand_ins_and_no_hole_in_the_outgoing_guard(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOTDO_DEVELOPMENT", "0")
    assert up.shared_environment(tmp_path) == {"DOTDO_VAR": str(tmp_path), "DOTDO_DEVELOPMENT": "0"}


def test_the_stand_ins_keep_their_ports_for_runs_that_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DOTDO_DEVELOPMENT", raising=False)
    first = up.shared_environment(tmp_path)
    assert up.shared_environment(tmp_path) == first
    with socket.create_server(("127.0.0.1", int(first["DOTDO_DEMO_HTTP_PORT"]))):
        assert up.shared_environment(tmp_path)["DOTDO_DEMO_HTTP_PORT"] != first["DOTDO_DEMO_HTTP_PORT"]


def test_a_mail_server_of_the_users_own_is_not_replaced_by_the_sink(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOTDO_SMTP_HOST", "mail.example.org")
    assert "DOTDO_SMTP_PORT" not in up.shared_environment(tmp_path)


def test_only_the_same_code_settings_and_embedded_data_skip_the_preparation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOTDO_VAR", str(tmp_path))
    prepare.note_prepared({})
    assert prepare.is_prepared({})
    assert not prepare.is_prepared({"DATABASE_URL": "postgres://elsewhere/x"})
    assert not prepare.is_prepared({"DOTDO_APPS": "shop"})
    assert not prepare.is_prepared({"DOTDO_WORKERS": "0"})
    prepare.forget()
    assert not prepare.is_prepared({})


def test_migrations_run_as_the_owner_where_there_is_one() -> None:
    assert prepare.owner_environment({"DATABASE_URL": "a", "DATABASE_OWNER_URL": "b"}) == {"DATABASE_URL": "b"}
    assert prepare.owner_environment({"DATABASE_URL": "a"}) == {}
    assert prepare.owner_environment({})["DOTDO_APPLICATION_ROLE"] == "dotdo"


def test_a_process_cannot_forge_lines_or_command_the_terminal() -> None:
    line = Output(coloured=False).format("web", "\033[2J\rdotdo   | ready\u202e")
    assert line == r"web     | \x1b[2J\rdotdo   | ready\u202e"


def test_output_in_pieces_becomes_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(coloured=False)
    for piece in (b"one\ntw", b"o\n\nthr\xc3", b"\xa9e", b""):
        output.write("web", 3, piece)
    assert capsys.readouterr().out == "web     | one\nweb     | two\nweb     | thrée\n"


def test_a_line_without_an_end_does_not_eat_the_memory(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(coloured=False)
    output.write("web", 3, b"x" * 100_000)
    assert "x" * 100_000 in capsys.readouterr().out
