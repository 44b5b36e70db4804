"""What is left of a connection when the alarm rings, and of a process that cannot be told that it does."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction

from actions import Context, action, registry
from actions.contract import Contract
from actions.invoke import Outcome, invoke

ROOT = Path(__file__).resolve().parents[3]
STUCK = """
import django
django.setup()
from actions import Context, action, registry
from actions.invoke import invoke

@action("stuck", transactional=False, timeout="200ms")
def stuck(ctx):
    sum(range(10**13))

invoke(registry.handler("stuck", "1.0.0").contract, {}, Context("r", "s", 1, "k", 1), hard_stop=True)
print("survived")
"""


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    registry.forget(["int-x"])


def contract() -> Contract:
    spec = registry.handler("int-x", "1.0.0")
    assert spec is not None
    return spec.contract


def run() -> Outcome:
    return invoke(contract(), {}, Context("r", "s", 1, "k", 1))


@pytest.mark.django_db(transaction=False)
def test_an_alarm_in_a_real_query_marks_the_connection_as_lost() -> None:
    @action("int-x", timeout="200ms")
    def handler(ctx: Context) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")

    started = time.monotonic()
    try:
        outcome = run()
    finally:
        connection.needs_rollback = False
        connection.close()
    assert outcome.failure is not None
    assert outcome.failure.code == "timeout"
    assert outcome.interrupted
    assert time.monotonic() - started < 2


@pytest.mark.django_db
def test_a_query_of_the_handler_that_fails_leaves_the_savepoint_to_the_caller() -> None:
    @action("int-x")
    def handler(ctx: Context) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")

    savepoint = transaction.savepoint()
    outcome = run()
    transaction.savepoint_rollback(savepoint)
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.retryable) == ("data_error", True)
    assert not outcome.interrupted
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_a_handler_stuck_in_c_code_ends_its_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode != 0
    assert "survived" not in done.stdout
    assert "in stuck" in done.stderr
