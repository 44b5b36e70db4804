from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from tests.integration.actions import post, web


@pytest.fixture
def server(settings: Settings) -> Iterator[web.Web]:
    """A web server that the guard allows."""
    with web.serving() as running:
        settings.OUTGOING_ALLOW = [f"127.0.0.1:{running.port}"]
        yield running


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[post.Post]:
    """An SMTP server that the settings name and the guard allows."""
    with post.listening() as running:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        settings.OUTGOING_ALLOW = [f"127.0.0.1:{running.port}"]
        settings.DEFAULT_FROM_EMAIL = "Shop <shop@example.com>"
        settings.EMAIL_TIMEOUT = 2
        yield running
