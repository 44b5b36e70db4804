"""Cases of every kind through worker and database, where each step meets a worker that dies or is replaced.

A death is an exception that nobody catches: the open transaction is rolled back, what was committed stays, and the
leases of the dead are ended as the watchdog would. Whoever is called twice under one key answers the same.
"""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from tests.conformance import database
from tests.conformance.standin import Standin
from tests.conformance.tables import Case, cases
from tests.support import answers
from tests.support.engine import work_until_idle
from tests.support.soundness import assert_sound
from workflows import checkpoint, claim
from workflows.claim import Claimed
from workflows.identity import identity
from workflows.models import Run

# One case, the first, for each of these rows of the tables' index.
KINDS = (
    *("do", "switch", "for.in", "for.while", "then.name", "R18", "flow.context", "wait", "emit", "http.output"),
    *("fork.branches", "fork.compete", "R11", "try", "catch.do", "retry.count", "R24", "timeout.workflow", "raise"),
    *("listen.one", "listen.all", "listen.until", "listen.foreach", "R30", "R31", "run.workflow", "added.undo"),
    *("added.compensate", "added.datastore", "added.approval", "added.map", "added.wait-until", "added.on-fault"),
)
MOST_DEATHS = 500

pytestmark = pytest.mark.usefixtures("functions")


def _sample() -> list[Case]:
    found: dict[str, Case] = {}
    for kind in KINDS:
        fits = (case for case in cases() if kind in case.covers and not case.refused and "database" in case.drivers)
        case = next(fits)
        found[case.name] = case
    return list(found.values())


SAMPLE = _sample()


class Killed(BaseException):
    """The process is gone."""


class Receiver:
    """The other side of the table's actions: asked again under a key, it answers as it did."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.key, self.known = "", dict[str, Any]()
        name, following = answers.task_name, answers.Answers.next

        def task_name(key: str) -> str:
            self.key = key
            return name(key)

        def answer(table: answers.Answers, task: str, value: Any) -> Any:
            if self.key not in self.known:
                self.known[self.key] = following(table, task, value)
            return self.known[self.key]

        monkeypatch.setattr(answers, "task_name", task_name)
        monkeypatch.setattr(answers.Answers, "next", answer)


Write = Callable[..., Any]


def dies_before(write: Write, seen: set[uuid.UUID]) -> Write:
    """Die when the first result of each step is about to be recorded."""

    def wrapped(held: Claimed, *more: Any) -> Any:
        if held.step not in seen:
            seen.add(held.step)
            raise Killed
        return write(held, *more)

    return wrapped


def dies_after(write: Write, seen: set[uuid.UUID]) -> Write:
    """Die when the first result of each step has been committed, the next step in hand."""

    def die() -> None:
        raise Killed

    def wrapped(held: Claimed, *more: Any) -> Any:
        written = write(held, *more)
        if held.step not in seen:
            seen.add(held.step)
            transaction.on_commit(die)
        return written

    return wrapped


def is_replaced(write: Write, seen: set[uuid.UUID]) -> Write:
    """Lose the lease of each step to another worker when its first result is about to be recorded.

    A step whose transaction is open cannot be taken: its row is locked.
    """
    parameters = connection.get_connection_params()
    names = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}

    def wrapped(held: Claimed, *more: Any) -> Any:
        if held.step not in seen:
            seen.add(held.step)
            with psycopg.connect(**names, autocommit=True) as other:
                other.execute("UPDATE step SET state = 'ready', leased_by = NULL, lease_expires_at = NULL, "
                              "claim = claim + 1, due_at = now() WHERE id = (SELECT id FROM step WHERE id = %s "
                              "FOR NO KEY UPDATE SKIP LOCKED)", [held.step])  # fmt: skip
        return write(held, *more)

    return wrapped


def _work_through_deaths() -> None:
    for _ in range(MOST_DEATHS):
        try:
            return work_until_idle(patience=0.05)
        except Killed:
            claim.bury(identity().id, "killed")
    raise AssertionError(f"still dying after {MOST_DEATHS} deaths")


def _twice(happen: Callable[..., None]) -> Callable[..., None]:
    def wrapped(run_id: uuid.UUID, message: Any) -> None:
        happen(run_id, message)
        if "event" in message:
            happen(run_id, message)

    return wrapped


@pytest.mark.parametrize("trouble", [dies_before, dies_after, is_replaced])
@pytest.mark.parametrize("case", SAMPLE, ids=[case.name for case in SAMPLE])
def test_a_case_comes_to_the_same_end(
    case: Case,
    trouble: Callable[[Write, set[uuid.UUID]], Write],
    standin: Standin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Receiver(monkeypatch)
    monkeypatch.setattr(database, "_work", _work_through_deaths)
    monkeypatch.setattr(checkpoint, "write", trouble(checkpoint.write, set()))
    database.play(case)
    for run_id in Run.objects.values_list("id", flat=True):
        assert_sound(run_id)


WITH_EVENTS = [case for case in cases() if not case.refused and "database" in case.drivers and case.messages]


@pytest.mark.parametrize("case", WITH_EVENTS, ids=[case.name for case in WITH_EVENTS])
def test_an_event_that_is_sent_twice_is_taken_once(
    case: Case, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_happen", _twice(database._happen))
    database.play(case)
    for run_id in Run.objects.values_list("id", flat=True):
        assert_sound(run_id)
