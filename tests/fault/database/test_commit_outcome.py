"""Connections that are cut before or after a COMMIT, at each commit of a flow: what happened, only the rows know.

Whoever was cut repeats what it did. Nothing may be lost that was acknowledged, and nothing may happen twice.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import close_old_connections, connection

from audit.models import AuditEvent
from audit.verify import verify
from dotdo_site import embedded_postgres
from dotdo_site.lib.database_errors import OPERATIONAL
from tests.fault.database.test_restart import api_key
from tests.support.cutting_proxy import AFTER, BEFORE, CuttingProxy
from tests.support.documents import publish
from tests.support.engine import start_workflow, state, work_until_idle
from tests.support.own_database import pointed_at
from workflows.models import Entry, Event, Run

pytestmark = [pytest.mark.usefixtures("handlers"), pytest.mark.timeout(400)]

AWAY = 503
BODY = """
do:
  - one: {call: test-ledger, with: {name: "${ $workflow.id }"}}
  - two: {call: test-outside, with: {file: "${ $workflow.input.file }"}}
  - three: {call: datastore.incr, with: {namespace: counts, key: "${ $workflow.id }"}}
  - both:
      fork:
        branches:
          - left: {call: test-ledger, with: {name: "${ $workflow.id }"}}
          - right: {call: datastore.incr, with: {namespace: counts, key: '${ "right-\\($workflow.id)" }'}}
  - four: {wait: {milliseconds: 1}}
"""
LISTENS = """
do:
  - paid: {listen: {to: {one: {with: {type: paid}}}}}
  - one: {call: test-ledger, with: {name: "${ $workflow.id }"}}
"""


@dataclass
class CutAt(CuttingProxy):
    """Cuts the commit with one number, once."""

    number: int = 0
    side: str = BEFORE

    def decide(self, text: bytes) -> str:
        """Cut when the number has come."""
        self.commits += 1
        return self._count(self.side) if self.commits == self.number else ""


@contextmanager
def cutting(number: int, side: str) -> Iterator[CutAt]:
    """Lead Django's connections through a proxy that cuts one commit."""
    socket = embedded_postgres.locate(settings.VAR_DIR).sockets / ".s.PGSQL.5432"
    with CutAt(socket, number=number, side=side) as proxy, pointed_at("127.0.0.1", str(proxy.port)):
        yield proxy


def at_each_commit(prepare: Callable[[int], Any], act: Callable[[Any], object], check: Callable[[Any], None]) -> int:
    """Do the same again and again, another commit of it cut each time, until it has no more commits; return how many.

    Only `act` goes through the proxy; `check` looks at what has become of it.
    """
    cuts = itertools.count()
    for number in itertools.count(1):
        for side in (BEFORE, AFTER):
            given = prepare(next(cuts))
            with cutting(number, side) as proxy:
                act(given)
            if not proxy.cuts:
                return number - 1
            check(given)
    raise AssertionError("unreachable")


class Client:
    """Calls the API in this process and repeats what was not answered."""

    def __init__(self) -> None:
        from django.test import Client as DjangoClient

        self.client = DjangoClient(headers={"authorization": f"Bearer {api_key()}"}, raise_request_exception=False)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        for _ in range(5):
            close_old_connections()
            answer = self.client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)
            if answer.status_code != AWAY:
                return answer
            assert answer["Retry-After"]
        raise AssertionError("cut more than once")


def ledger(run_id: Any) -> int:
    return Entry.objects.filter(namespace="ledger", key__startswith=f"{run_id}-").count()


def test_a_start_whose_commit_is_cut_makes_one_run_when_it_is_repeated_with_its_key() -> None:
    name, client = publish("starts", "do:\n  - one: {call: test-echo, with: {value: 1}}\n"), Client()
    keys: list[str] = []

    def start(key: str) -> None:
        keys.append(key)
        answer = client.post(f"workflows/{name}/runs", {"input": {}}, **{"Idempotency-Key": key})
        assert answer.status_code in {200, 201}, answer.content

    def one_run(_: str) -> None:
        assert Run.objects.count() == len(keys)

    assert at_each_commit(lambda number: f"key-{number}", start, one_run) >= 1
    work_until_idle()
    assert set(Run.objects.values_list("state", flat=True)) == {"succeeded"}
    assert verify().broken == []


def test_a_worker_whose_commit_is_cut_does_every_step_and_none_twice(tmp_path: Path) -> None:
    name = publish("steps", BODY)

    def prepare(number: int) -> Any:
        return start_workflow(name, {"file": str(tmp_path / str(number))}), tmp_path / str(number)

    def done(given: Any) -> None:
        run_id, file = given
        assert state(run_id) == "succeeded"
        assert ledger(run_id) == 2
        assert Entry.objects.get(namespace="counts", key=str(run_id)).version == 1
        assert Entry.objects.get(namespace="counts", key=f"right-{run_id}").version == 1
        lines = [line.split()[0] for line in file.read_text().splitlines()]
        assert len(set(lines)) == 1
        assert len(lines) <= 2

    assert at_each_commit(prepare, lambda _: _work(), done) >= 6
    assert verify().broken == []


@pytest.mark.parametrize("verb", ["cancel", "retry", "suspend"])
def test_a_command_whose_commit_is_cut_happens_once_when_it_is_repeated(verb: str) -> None:
    body = "do:\n  - one: {call: test-refuses, with: {}}\n" if verb == "retry" else "do:\n  - one: {wait: {hours: 1}}\n"
    name, client = publish("commanded", body), Client()
    kinds = {"cancel": "run.cancelled", "retry": "run.retried", "suspend": "run.suspended"}
    nouns = {"cancel": "cancellation", "retry": "retries", "suspend": "suspension"}

    def prepare(_: int) -> Any:
        run_id = start_workflow(name, {})
        work_until_idle()
        return run_id

    def command(run_id: Any) -> None:
        answer = client.post(f"runs/{run_id}/{nouns[verb]}", {"reason": "cut"})
        assert answer.status_code in {200, 202, 409}, answer.content

    def once(run_id: Any) -> None:
        assert AuditEvent.objects.filter(kind=kinds[verb], run=run_id).count() == 1

    assert at_each_commit(prepare, command, once) >= 1
    assert verify().broken == []


def test_an_event_whose_commit_is_cut_is_taken_once_when_it_is_sent_again() -> None:
    name, client = publish("listens", LISTENS), Client()

    def prepare(number: int) -> Any:
        run_id = start_workflow(name, {})
        work_until_idle()
        return run_id, number

    def send(given: Any) -> None:
        event = {"specversion": "1.0", "id": f"e{given[1]}", "source": "/tests", "type": "paid"}
        answer = client.post("events", event)
        assert answer.status_code in {200, 201, 202}, answer.content

    def taken_once(given: Any) -> None:
        run_id, number = given
        work_until_idle()
        assert Event.objects.filter(event_id=f"e{number}").count() == 1
        assert state(run_id) == "succeeded"
        assert ledger(run_id) == 1

    assert at_each_commit(prepare, send, taken_once) >= 1
    assert verify().broken == []


def _work() -> None:
    """Work to the end; what the helper itself asks may be cut as well, and it does not wait as workers do."""
    connection.close()
    while True:
        try:
            return work_until_idle(30)
        except OPERATIONAL:
            connection.close()
