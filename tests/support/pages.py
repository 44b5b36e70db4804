"""What page tests look at: people in roles, a few runs of every kind, and a server for a browser."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from uuid import UUID
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.contrib.auth.models import Group, User

from tests.support.documents import publish
from tests.support.emptying import Superuser
from tests.support.engine import start_action, start_workflow, work_until_idle
from tests.support.kept import Scene
from workflows import operations

ORDER = """
input:
  schema:
    document:
      type: object
      required: [email, amount, lines]
      properties:
        email: {type: string, format: email, title: E-mail, description: Where the receipt goes.}
        amount: {type: number, minimum: 0}
        currency: {type: string, enum: [EUR, USD], default: EUR}
        express: {type: boolean, default: false, title: Express}
        gift: {type: boolean}
        notes: {type: string, maxLength: 500}
        card_number: {type: string}
        customer: {type: object, required: [id], properties: {id: {type: string}, tier: {type: string}}}
        lines:
          type: array
          items: {type: object, required: [sku], properties: {sku: {type: string}, qty: {type: integer, default: 1}}}
        tags: {type: array, items: {type: string}}
        extra: {type: object}
do:
  - remember: {call: datastore.set, with: {key: "${ .email }", value: {status: registered, welcomeEmailSent: false}}}
  - charge: {call: test-echo, with: {value: "${ $workflow.input }"}}
"""
ONBOARD = """
do:
  - greet: {call: test-speaks, with: {password: "${ .password }"}}
  - mail: {call: test-outside, with: {file: "${ $workflow.input.file }", fail: 1}}
"""
PAUSE = """
do:
  - before: {call: test-echo, with: {value: 1}}
  - cool-off: {wait: {hours: 3}}
  - after: {call: test-echo, with: {value: 2}}
"""
BROKEN = """
do:
  - prepare: {call: test-echo, with: {value: 1}}
  - charge: {call: test-refuses, with: {code: declined}}
  - never: {call: test-echo, with: {value: 2}}
"""


@dataclass(frozen=True)
class Seeded:
    """The ids of the runs that were made."""

    succeeded: UUID
    waiting: UUID
    failed: UUID
    pending: UUID


_SCENE: Scene[Seeded] = Scene()


def person(role: str | None, *, staff: bool = False) -> User:
    """Return the user who has just this role; every test may make the same one again."""
    user, _ = User.objects.get_or_create(username=(role or "nobody").lower(), defaults={"is_staff": staff})
    user.groups.set(Group.objects.filter(name=role))
    return user


def seed(superuser: Superuser, folder: Path) -> Seeded:
    """Let workflows have run: one succeeded after a retry, one waits, one failed, one has not begun."""
    return _SCENE.lay(superuser, lambda: _run(folder))


def _run(folder: Path) -> Seeded:
    publish("order", ORDER)
    publish("onboard", ONBOARD)
    publish("pause", PAUSE)
    publish("broken", BROKEN)
    mail = {"file": str(folder / "mail"), "password": "hunter2"}
    made = Seeded(
        succeeded=start_workflow("onboard", mail, title="usr_12345", tags=["region=eu"], key="order/1"),
        waiting=start_workflow("pause", {}),
        failed=start_workflow("broken", {}, title="order/88213"),
        pending=UUID(int=0),
    )
    start_workflow("order", {"email": "ada@example.com", "amount": 1, "lines": []})
    start_action("test-speaks", {"password": "hunter2"})
    work_until_idle(20)
    operations.put_entry("default", "usr_1", {"status": "email_sent"}, expected_version=0, actor="user:test")
    return Seeded(made.succeeded, made.waiting, made.failed, start_action("test-echo", {"value": 1}))


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gave it
        pass


@contextmanager
def served(application: Callable[..., Any]) -> Iterator[str]:
    """Serve the site on loopback until the block ends; yield its address."""
    server = make_server("127.0.0.1", 0, application, _Server, _Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
