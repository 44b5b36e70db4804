"""A mail server and a web server that listen, rules that name them, and the sender itself, round by round."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from actions import secrets
from actions.models import Connection
from tests.integration.actions import post, web
from tests.support.webhooks import KEY
from workflows.models import NotificationRule

OPS = "ops@example.com"


@pytest.fixture
def mailbox(handlers: None, settings: Settings) -> Iterator[post.Post]:
    """An SMTP server that the settings name and the guard allows."""
    with post.listening() as running:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        settings.OUTGOING_ALLOW = [*settings.OUTGOING_ALLOW, f"127.0.0.1:{running.port}"]
        settings.DEFAULT_FROM_EMAIL = "dotdo <dotdo@example.com>"
        settings.EMAIL_TIMEOUT = 2
        settings.PUBLIC_URL = "https://dotdo.example.com"
        yield running


@pytest.fixture
def server(handlers: None, settings: Settings) -> Iterator[web.Web]:
    """A web server that the guard allows, and the connection whose secret signs what is sent there."""
    connection = Connection.objects.create(name="hooks", allowed_hosts=[])
    secrets.set_secret(connection, KEY, actor="user:test")
    with web.serving() as running:
        settings.OUTGOING_ALLOW = [*settings.OUTGOING_ALLOW, f"127.0.0.1:{running.port}"]
        yield running


@pytest.fixture
def rule() -> Callable[..., NotificationRule]:
    """Make rules: by default every failure to the operators, at once."""

    def make(*kinds: str, **fields: Any) -> NotificationRule:
        named = {"email": [OPS]} if "webhook" not in fields else {"connection": Connection.objects.get(name="hooks")}
        number = NotificationRule.objects.count()
        values = {"name": f"rule {number}", "kinds": list(kinds) or ["dead_letter", "undo_failed"], "group_seconds": 0}
        return NotificationRule.objects.create(**{**values, **named, **fields})

    return make
