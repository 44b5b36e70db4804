"""The verbs for people who change dotdo: check, test, conformance, ci, the benchmarks, lock."""

import argparse
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from dotdo_site import embedded_postgres, keys
from dotdo_site.launch import machine, prepare, processes
from dotdo_site.launch.checkout import ROOT, LaunchError, say, var_dir

TEST_CLUSTER, BENCH_CLUSTER, CHAOS_CLUSTER = "test", "bench", "chaos"
PAGES_CLUSTER = f"{BENCH_CLUSTER}/pages"  # its million rows are kept
GROWTH_CLUSTER = f"{BENCH_CLUSTER}/growth"  # and so are these
AT_ONCE = 2  # pytest processes, each with a server of its own: many tests are processes that wait for each other
TEST_CLUSTERS = (TEST_CLUSTER, *(f"{TEST_CLUSTER}/gw{number}" for number in range(AT_ONCE)))
CLUSTERS = (*TEST_CLUSTERS, PAGES_CLUSTER, GROWTH_CLUSTER, BENCH_CLUSTER, CHAOS_CLUSTER)
# What says something in SQL: the tests that must pass on every version of PostgreSQL.
DATABASE_TESTS = (
    "tests/fault/database",
    "tests/fault/test_interleavings.py",
    "tests/integration/core",
    "tests/integration/events",
    "tests/integration/schedules",
    "tests/integration/test_backup.py",
    "tests/conformance/test_worker.py",
)
FORMER_POSTGRES = "16"
# Of those, what takes long or says little of SQL: processes, crowds, requests. `make ci` leaves it to one version.
ON_ONE_VERSION = (
    *(
        f"tests/fault/database/test_{name}.py"
        for name in ("commit_outcome", "listening", "long_outage", "no_writes", "others", "pgbouncer", "restart")
    ),
    *(
        f"tests/integration/core/test_{name}.py"
        for name in (
            "cluster",
            "concurrent_commands",
            "hazards",
            "lost_leases",
            "supervision",
            "validate_workflow",
            "watch",
        )
    ),
    *(
        f"tests/integration/events/test_{name}.py"
        for name in ("endpoints", "hostile_requests", "http_modes", "run_hooks", "under_load")
    ),
    "tests/integration/schedules/test_cluster.py",
    "tests/integration/test_backup.py",
    "tests/conformance/test_worker.py",
)
OWN_SETTINGS = ("DATABASE_URL", "DATABASE_OWNER_URL", "DJANGO_SETTINGS_MODULE", "PORT")


def check(_: argparse.Namespace) -> int:
    """Run every static check and say how long each took; all of them, also when one fails."""
    environment = environment_of(TEST_CLUSTER) | {"DOTDO_HTTPS": "1"}
    failed = [name for name, argv in _checks() if not _step(name, argv, environment)]
    if failed:
        say(f"FAILED: {', '.join(failed)}")
    return 1 if failed else 0


def test(options: argparse.Namespace) -> int:
    """Run all tests but those in a browser, or what ARGS names."""
    wanted = shlex.split(options.args)
    return _pytest(
        wanted or ["tests/unit", "tests/integration", "tests/conformance", "tests/fault", "tests/upgrade", *_at_once()]
    )


def test_database(options: argparse.Namespace) -> int:
    """Run the tests that depend on the version of PostgreSQL, on the one that POSTGRES names."""
    machine.check_pooler()
    return _pytest([*DATABASE_TESTS, "-rs", *_at_once(), *shlex.split(options.args)])


def conformance(options: argparse.Namespace) -> int:
    """Run the scenarios of the workflow language; say why when the specification's own are not there."""
    return _pytest(["tests/conformance", "-rs", *shlex.split(options.args)])


def test_e2e(options: argparse.Namespace) -> int:
    """Run the tests that drive a real browser."""
    machine.check_browser()
    return _pytest(["tests/e2e", *shlex.split(options.args)])


def ci(options: argparse.Namespace) -> int:
    """Check, then run all tests, those of SQL on two versions; all of it, so that one round shows everything."""
    machine.check_browser()
    machine.check_pooler()
    checked = check(options)
    former = 0 if os.environ.get("DOTDO_TEST_POSTGRES") else _on_former_postgres()
    say("== test, test-e2e")
    return _pytest(["tests", *_at_once(), *shlex.split(options.args)]) or former or checked


def upgrade(options: argparse.Namespace) -> int:
    """Run another commit with runs in every kind of wait, and finish them with this code."""
    if not options.args.strip():
        raise LaunchError("Name the commit to upgrade from, such as the last release: make upgrade FROM=HEAD~20")
    argv = [sys.executable, "-m", "tests.upgrade.live", *shlex.split(options.args)]
    return subprocess.call(argv, cwd=ROOT, env=environment_of(TEST_CLUSTER))


def bench_quick(_: argparse.Namespace) -> int:
    """Measure throughput and latency."""
    return _bench("bench.quick")


def bench(options: argparse.Namespace) -> int:
    """Measure dotdo, the machine's own limit and its peers in turns; goes on where it was interrupted."""
    return _bench("bench.compare", *shlex.split(options.args))


def bench_growth(options: argparse.Namespace) -> int:
    """Measure with a million finished runs in the tables, against empty ones; or how items grow in one run."""
    return _bench("bench.growth", *shlex.split(options.args), cluster=GROWTH_CLUSTER)


def bench_pages(options: argparse.Namespace) -> int:
    """Measure every page with a million runs; the rows are made by the first call."""
    return _bench("bench.pages", *shlex.split(options.args), cluster=PAGES_CLUSTER)


def lock(_: argparse.Namespace) -> int:
    """Write requirements.txt and requirements-dev.txt anew, universal and with hashes."""
    for name, more in (("requirements.txt", ()), ("requirements-dev.txt", ("--group", "dev"))):
        # fmt: off
        argv = ["uv", "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes",
                "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links",
                "-q", "pyproject.toml", *more, "-o", name]
        # fmt: on
        try:
            subprocess.run(argv, cwd=ROOT, check=True)
        except FileNotFoundError as error:
            raise LaunchError("`make lock` needs uv on the PATH: pip install uv") from error
    return 0


def _on_former_postgres() -> int:
    """Run the tests that depend on the version in a process of its own, which reads it when it starts."""
    say(f"== test-database, PostgreSQL {FORMER_POSTGRES}")
    less = " ".join(f"--ignore={test}" for test in ON_ONE_VERSION)
    argv = [sys.executable, str(ROOT / "dotdo_site" / "bootstrap.py"), "test-database", f"--args=-q {less}"]
    return subprocess.call(argv, cwd=ROOT, env=os.environ | {"DOTDO_TEST_POSTGRES": FORMER_POSTGRES})


def _bench(module: str, *arguments: str, cluster: str = BENCH_CLUSTER) -> int:
    """Measure on a database of its own, so that nothing of an installation is touched."""
    with migrated(cluster) as environment:
        return subprocess.call([sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment)


@contextmanager
def migrated(name: str) -> Iterator[dict[str, str]]:
    """Run an embedded server with all tables, and give the environment of what works on it."""
    with _cluster(name) as environment:
        migrate = processes.manage("migrate", "--no-input", "--verbosity", "0")
        owner = prepare.owner_environment(environment)
        subprocess.run(migrate, cwd=ROOT, env={**environment, **owner}, check=True)
        yield environment


def _pytest(arguments: list[str]) -> int:
    """Run pytest on a PostgreSQL of its own; its summary is the last thing printed."""
    with _cluster(TEST_CLUSTER) as environment:
        return subprocess.call([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=environment)


def _at_once() -> list[str]:
    """Tell pytest to share the tests out, where there are processors for it."""
    return ["-n", str(AT_ONCE), "--dist", "worksteal"] if (os.cpu_count() or 1) >= AT_ONCE else []


def _checks() -> list[tuple[str, tuple[str, ...]]]:
    python = sys.executable
    return [
        ("ruff", (python, "-m", "ruff", "check", ".")),
        ("format", (python, "-m", "ruff", "format", "--check", ".")),
        ("types", (python, "-m", "mypy")),
        ("imports", (python, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache")),
        ("templates", (python, "-m", "djlint", "--lint", "--quiet", "templates")),
        ("settings", processes.manage("check", "--deploy", "--fail-level", "WARNING")),
        ("migrations", processes.manage("makemigrations", "--check", "--dry-run")),
    ]


def _step(name: str, argv: tuple[str, ...], environment: Mapping[str, str]) -> bool:
    began = time.monotonic()
    done = subprocess.run(
        argv, cwd=ROOT, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    passed = done.returncode == 0
    say(f"== {name:<12} {'ok' if passed else 'FAILED':<6} {time.monotonic() - began:6.1f} s")
    if not passed:
        say(done.stdout.rstrip())
    return passed


@contextmanager
def _cluster(name: str) -> Iterator[dict[str, str]]:
    """Run an embedded server for the duration; one that ran already is left running."""
    environment = environment_of(name)
    var = var_dir() / name
    server = embedded_postgres.start(var, follow_parent=True)
    try:
        yield environment
    finally:
        if server.process is not None:
            server.stop()


def environment_of(name: str) -> dict[str, str]:
    """Give the environment of what works on a cluster of its own: nothing of an installation's settings."""
    var = var_dir() / name
    keys.ensure(var / "keys" / "keys.json")
    kept = {key: value for key, value in os.environ.items() if key not in OWN_SETTINGS and not key.startswith("DOTDO_")}
    passed_on = {
        "DOTDO_CONFORMANCE_FEATURES": os.environ.get("DOTDO_CONFORMANCE_FEATURES"),
        "DOTDO_TEST_POSTGRES": os.environ.get("DOTDO_TEST_POSTGRES"),
    }
    own = {"DOTDO_VAR": str(var), "DOTDO_TEST_VAR": str(var), "PYTHONPATH": str(ROOT)}
    return kept | own | {name: value for name, value in passed_on.items() if value}
