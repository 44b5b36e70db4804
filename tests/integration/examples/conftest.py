"""The examples as `make up` publishes them, with their stand-ins; the worker runs in the test, which may skip time."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from pytest_django.fixtures import Settings

from dotdo_site.demo import definitions, examples
from dotdo_site.demo.standins.service import Ports, serving
from tests.support.cluster import sql
from tests.support.engine import shown, start_workflow, work_until_idle
from workflows import operations, queries

ACTOR = "user:test"


@dataclass
class World:
    """What the stand-ins know, and the clock."""

    port: int

    def ask(self, path: str) -> list[dict[str, Any]]:
        """Return what a stand-in lists."""
        with urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            found: list[dict[str, Any]] = json.load(answer)
            return found

    def subjects(self, email: str) -> list[str]:
        """Return the subjects of the mails that somebody got, in order."""
        return [mail["subject"] for mail in self.ask(f"/mail?to={email}") if mail["received"]]

    def start(self, name: str, value: dict[str, Any]) -> uuid.UUID:
        """Start a run and work until it rests."""
        run_id = start_workflow(name, value)
        self.settle()
        return run_id

    def settle(self) -> None:
        """Work, and let the pauses before retries pass at once: the mail server refuses every mail twice."""
        work_until_idle()
        while sql("UPDATE step SET due_at = now() WHERE state = 'ready' AND kind = 'call' AND due_at > now() "
                  "AND function NOT LIKE 'approval%%' RETURNING 1"):  # fmt: skip
            work_until_idle()

    def pass_time(self) -> None:
        """Let time pass until the next thing is due: everything that is open has begun that much earlier."""
        sql(
            "UPDATE step SET due_at = due_at - late.r, created_at = created_at - late.r "
            "FROM (SELECT min(due_at) - now() FROM step WHERE state = 'ready' AND due_at > now()) AS late (r) "
            "WHERE state IN ('ready', 'waiting')"
        )
        self.settle()

    def run(self, run_id: uuid.UUID) -> queries.RunDetail:
        """Return a run as people see it."""
        return shown(run_id)


@pytest.fixture
def world(database: None, settings: Settings, tmp_path: Path) -> Iterator[World]:
    """Publish the examples and serve the stand-ins."""
    with serving(tmp_path, Ports(0, 0)) as ports:
        settings.DEMO_HTTP_PORT, settings.DEMO_SMTP_PORT = ports.http, ports.smtp
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", ports.smtp
        settings.OUTGOING_ALLOW = [f"127.0.0.1:{ports.http}", f"127.0.0.1:{ports.smtp}"]
        publish_examples()
        yield World(ports.http)


def publish_examples() -> list[str]:
    """Publish them as the demo does, without the story, whose action in Python is not installed in tests."""
    new = [version for wanted in definitions.actions() if (version := definitions._publish_action(wanted, ACTOR))]
    labels = list(map(str, new))
    for path in examples.workflows():
        labels += definitions._publish_workflow(path, {label.partition(":")[0] for label in labels}, ACTOR)
    return labels


def send(number: str, type_: str, data: dict[str, Any]) -> None:
    """Send an event to everybody who listens."""
    event = {"specversion": "1.0", "id": number, "source": "/payments", "type": type_, "data": data}
    operations.deliver_event(event, actor=ACTOR, via="api")
