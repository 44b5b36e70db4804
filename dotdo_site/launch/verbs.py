"""What `make <verb>` does: a table of verbs; the packages that a verb needs are installed before it runs."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dotdo_site import backup, embedded_postgres
from dotdo_site.launch import backups, chaos, environment, instance, machine, prepare, processes, quality, up
from dotdo_site.launch.checkout import BACKUPS, PYTHON, ROOT, LaunchError, confirm, in_venv, say, var_dir
from dotdo_site.postgres_programs import EmbeddedPostgresError

OWN_FOLDERS = ("postgres", "keys", "demo")
OWN_FILES = ("prepared", "demo-ports.json", "up.lock")


@dataclass(frozen=True)
class Verb:
    """One verb: what it does, what it says in the help, and which packages it needs first."""

    run: Callable[[argparse.Namespace], int]
    help: str
    profile: str = ""


def main(arguments: list[str]) -> int:
    """Run the verb named in the arguments and return the exit code."""
    options = _parse(arguments)
    verb = VERBS[options.verb]
    try:
        if options.verb == "up":
            _check_before_up(options)
        if verb.profile:
            environment.ensure(verb.profile)
            if not in_venv():
                sys.stdout.flush()
                os.execv(PYTHON, [str(PYTHON), str(ROOT / "dotdo_site" / "bootstrap.py"), *arguments])  # noqa: S606
        return verb.run(options)
    except (LaunchError, EmbeddedPostgresError, backup.BackupError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bootstrap.py", description="What the Makefile calls; `make help` explains.")
    parser.add_argument("verb", nargs="?", default="help", choices=list(VERBS))
    parser.add_argument("--yes", action="store_true", help="answer the question with yes")
    parser.add_argument("--file", default="", help="restore: the backup file")
    parser.add_argument("--args", default="", help="arguments for pytest, or for a benchmark")
    return parser.parse_args(arguments)


def _check_before_up(options: argparse.Namespace) -> None:
    options.port = up.parse_port(os.environ.get("PORT") or str(up.DEFAULT_PORT))
    instance.refuse_second(var_dir())
    machine.check_port(options.port)


def _help(_: argparse.Namespace) -> int:
    say("dotdo: durable actions and workflows. On a fresh machine, `make up` is all there is to do.\n")
    for name, verb in VERBS.items():
        say(f"  make {name:<12} {verb.help}")
    return 0


def _up(options: argparse.Namespace) -> int:
    return up.Up(options.port).run()


def _down(_: argparse.Namespace) -> int:
    stopped = instance.stop(var_dir())
    left = embedded_postgres.stop(var_dir())
    say("stopped" if stopped or left else "dotdo is not running here")
    return 0


def _reset(options: argparse.Namespace) -> int:
    var = var_dir()
    home = embedded_postgres.locate(var).home
    where = var if home.is_relative_to(var) else f"{var} and {home}"
    question = f"Delete the embedded database, the keys and everything else of dotdo in {where}, except {BACKUPS}/?"
    if not confirm(question, assume_yes=options.yes):
        return 1
    _down(options)
    for folder in (*(var / name for name in quality.CLUSTERS), var):
        _remove_own(folder)
    shutil.rmtree(var / quality.CHAOS_CLUSTER, ignore_errors=True)  # logs and dumps of the rounds
    say(f"Deleted; the backups in {var / BACKUPS} are kept." if (var / BACKUPS).exists() else "Deleted.")
    return 0


def _remove_own(var: Path) -> None:
    """Delete what dotdo made in a `var` folder, by name: whoever set DOTDO_VAR may keep other things there."""
    if not var.exists():
        return
    embedded_postgres.remove(var)
    for name in OWN_FOLDERS:
        shutil.rmtree(var / name, ignore_errors=True)
    for name in OWN_FILES:
        (var / name).unlink(missing_ok=True)
    with suppress(OSError):
        var.rmdir()  # unless something is left


def _login(_: argparse.Namespace) -> int:
    running = _running()
    return subprocess.call(processes.manage("login", "--url", running.url), cwd=ROOT, env=_environment_of(running))


def _demo(_: argparse.Namespace) -> int:
    running = _running()
    argv = processes.manage("demo", "--url", running.url)
    sys.stdout.flush()
    os.execve(argv[0], argv, _environment_of(running))  # noqa: S606 - Ctrl-C is its own affair: it revokes its API key


def _migrate(_: argparse.Namespace) -> int:
    prepare.migrate()
    return 0


def _running() -> instance.Instance:
    running = instance.running(var_dir())
    if running is None:
        raise LaunchError("dotdo is not running here. Start it in another terminal: make up")
    return running


def _environment_of(running: instance.Instance) -> dict[str, str]:
    return processes.base_environment() | running.environment


VERBS: dict[str, Verb] = {
    "help": Verb(_help, "show this list"),
    "up": Verb(_up, "start everything on http://127.0.0.1:8000 (PORT=8001 for another port)", "run"),
    "down": Verb(_down, "stop everything, letting work in flight finish"),
    "login": Verb(_login, "print a one-time sign-in link", "run"),
    "demo": Verb(_demo, "play the onboarding story on the running dotdo", "run"),
    "backup": Verb(backups.back_up, "write database and keys into one file, also while running", "run"),
    "restore": Verb(backups.restore, "replace everything with a backup (FILE=...; asks, YES=1 does not)", "run"),
    "migrate": Verb(_migrate, "bring the database up to this code without starting anything", "run"),
    "reset": Verb(_reset, "delete the embedded database with its log, and the keys, not the backups (asks)"),
    "check": Verb(quality.check, "lint, format, types, import rules, templates, deploy settings", "develop"),
    "test": Verb(quality.test, "run the tests on a PostgreSQL of their own (ARGS='tests/unit -k name')", "develop"),
    "conformance": Verb(quality.conformance, "run the scenarios of the workflow language", "develop"),
    "test-database": Verb(quality.test_database, "test SQL on another version (POSTGRES=16)", "develop"),
    "test-e2e": Verb(quality.test_e2e, "run the tests that drive a real browser", "develop"),
    "upgrade": Verb(quality.upgrade, "upgrade 200 runs under way from another commit (FROM=...)", "develop"),
    "chaos": Verb(chaos.chaos, "attack real processes for DURATION=60 s with the faults of SEED=1", "develop"),
    "chaos-long": Verb(chaos.chaos_long, "the same for an hour", "develop"),
    "chaos-report": Verb(chaos.chaos_report, "the same with several seeds (SEEDS=5), into docs/evidence", "develop"),
    "chaos-mutants": Verb(
        chaos.chaos_mutants, "plant bugs, and see that each layer of the proof finds its own", "develop"
    ),
    "ci": Verb(quality.ci, "check, test, test-e2e", "develop"),
    "bench": Verb(quality.bench, "measure dotdo beside its peers and the machine's limit (QUICK=1)", "develop"),
    "bench-quick": Verb(quality.bench_quick, "measure steps per second and first-step latency", "develop"),
    "bench-growth": Verb(
        quality.bench_growth, "the same with 1,000,000 finished runs stored (ARGS=--shapes)", "develop"
    ),
    "bench-pages": Verb(quality.bench_pages, "measure every page with 1,000,000 runs (ARGS='--only runs')", "develop"),
    "lock": Verb(quality.lock, "write the hash-locked requirements files anew from pyproject.toml", "develop"),
}
