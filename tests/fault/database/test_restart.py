"""A database that is restarted under load: nobody gets a 500, nothing is lost or doubled, work goes on at once."""

import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection

from audit.verify import verify
from dotdo_site.access import keys
from tests.support.cluster import cluster, until
from tests.support.documents import publish
from tests.support.own_database import OwnDatabase
from tests.support.web import Answer, ask, web
from workflows.models import Entry, Run, Step

BODY = """
do:
  - one: {call: test-ledger, with: {name: "${ $workflow.input.name }"}}
  - two: {call: test-ledger, with: {name: "${ $workflow.input.name }"}}
"""
GOOD, AWAY = {200, 201}, {0, 503}


@dataclass
class Client:
    """Starts runs one after the other, each with a key that it repeats until it is answered."""

    port: int
    key: str
    name: str
    number: int
    answers: list[Answer] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        while not self.ended.is_set():
            name = f"c{self.number}-{len(self.taken)}"
            while not self._start(name):
                time.sleep(0.1)
            self.taken.append(name)

    def _start(self, name: str) -> bool:
        path = f"/api/v1/workflows/{self.name}/runs"
        self.answers.append(ask(self.port, "POST", path, self.key, {"input": {"name": name}}, Idempotency_Key=name))
        return self.answers[-1].status in GOOD


def api_key() -> str:
    user, _ = User.objects.get_or_create(username="admin")
    user.groups.set(Group.objects.filter(name="Admin"))
    scopes = ["start:workflow:*", "read", "retry", "cancel", "suspend", "events:send"]
    return keys.issue("test", user, scopes, actor="cli:test")[1]


def succeeded(own: OwnDatabase) -> int:
    return int(own.sql("SELECT count(*) FROM run WHERE state = 'succeeded'")[0][0])


def test_an_idle_cluster_drains_at_once_although_the_database_is_away(own: OwnDatabase, tmp_path: Path) -> None:
    with cluster(tmp_path / "log", DATABASE_URL=own.url) as process:
        until(lambda: own.sql("SELECT count(*) FROM worker")[0][0] == 2)
        time.sleep(1.0)  # until one is on duty
        own.stop(immediate=True)
        time.sleep(0.5)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(35) == 0
        assert time.monotonic() - begun < 15, (tmp_path / "log").read_text()


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_restarted_database_costs_no_step_and_no_error(own_handlers: OwnDatabase, tmp_path: Path, how: str) -> None:
    own, name, key = own_handlers, publish("restarted", BODY), api_key()
    connection.close()
    log = tmp_path / "log"
    with web(log, DATABASE_URL=own.url) as port, cluster(log, DATABASE_URL=own.url):
        clients = [Client(port, key, name, number) for number in range(3)]
        threads = [threading.Thread(target=client.work, daemon=True) for client in clients]
        for thread in threads:
            thread.start()
        until(lambda: Run.objects.filter(state="succeeded").count() >= 5, 90)
        connection.close()
        own.stop(immediate=how == "immediate")
        assert ask(port, "GET", "/readyz").status == 503
        assert ask(port, "GET", "/").status in {302, 503}
        time.sleep(1.5)
        back = own.start()
        before = succeeded(own)
        until(lambda: succeeded(own) > before, 40)
        progress = time.monotonic() - back
        print(f"first progress {progress:.2f} s after the restart ({how})")
        for client in clients:
            client.ended.set()
        for thread in threads:
            thread.join()
        taken = [name for client in clients for name in client.taken]
        until(lambda: Run.objects.filter(state="succeeded").count() == len(taken), 60)
        assert ask(port, "GET", "/readyz").status == 200
    answers = [answer for client in clients for answer in client.answers]
    assert {answer.status for answer in answers} <= GOOD | AWAY, log.read_text()
    assert any(answer.status == 503 for answer in answers)
    assert all(answer.headers.get("Retry-After") for answer in answers if answer.status == 503)
    assert progress < 15, "2 s on a machine of its own, many times that on a busy one"
    assert Run.objects.count() == len(taken)
    assert Entry.objects.filter(namespace="ledger").count() == 2 * len(taken)
    assert not Step.objects.exclude(state="succeeded").exists()
    assert verify().broken == []
