"""A real browser on the real site: Chromium where the system has it, otherwise what Playwright installed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Error, Page, sync_playwright

from dotdo_site.access import links
from tests.support.emptying import Superuser
from tests.support.pages import Seeded, person, seed, served
from workflows.queries import filtering

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright keeps an event loop in this thread

Open = Callable[..., Page]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs be counted however busy the machine is."""
    monkeypatch.setattr(filtering, "TALLY_SECONDS", 5.0)
    monkeypatch.setattr(filtering, "BY_STATE_SECONDS", 5.0)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the browser once."""
    with sync_playwright() as playwright:
        path = CHROMIUM if CHROMIUM.exists() else None
        try:
            started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        except Error as error:
            if "Executable doesn't exist" not in str(error):
                raise
            pytest.skip(
                "there is no Chromium: `make test-e2e` installs Debian's where it may, as root on an apt system"
            )
        yield started
        started.close()


@pytest.fixture
def runs(handlers: None, database: Superuser, tmp_path: Path) -> Seeded:
    """Make one run of every kind."""
    return seed(database, tmp_path)


@pytest.fixture
def site(database: None) -> Iterator[str]:
    """Serve the site; yield its address."""
    from dotdo_site.wsgi import application  # looks at the database when it is imported

    with served(application) as address:
        yield address


@pytest.fixture
def sign_in(browser: Browser, site: str) -> Iterator[Open]:
    """Open a page as somebody, signed in by a one-time link. Whatever the console says is kept in `page.said`."""
    contexts = []

    def open_as(role: str = "Operator", *, width: int = 1440, theme: str = "light", staff: bool = False) -> Page:
        viewport = {"width": width, "height": 900}
        context = browser.new_context(viewport=viewport, color_scheme=theme, base_url=site)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        token = links.create(person(role, staff=staff), actor="cli:test", now=timezone.now())
        page.goto(f"/sign-in/{token}/")
        return page

    yield open_as
    for context in contexts:
        context.close()
