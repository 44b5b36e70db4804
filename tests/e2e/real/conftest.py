"""`make up` itself with a folder and a port of its own, started once: what a browser sees here is the whole product."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from dotdo_site import embedded_postgres
from dotdo_site.launch import instance
from tests.e2e.real import actions
from tests.support.terminal import Terminal, free_port

Open = Callable[..., Page]
LINKS = 24  # one for each time that somebody signs in
HEAD = "document: {dsl: 1.0.3, namespace: tests, name: %s, version: 1.0.0}\n"
ORDER = """
input:
  schema:
    document:
      type: object
      required: [card, amount]
      properties: {card: {type: string, title: Card}, amount: {type: number, title: Amount, minimum: 0}}
do:
  - book: {call: datastore.set, with: {key: "${ .card }", value: "${ .amount }"}}
  - settle: {wait: PT5S}
  - charge: {call: e2e-charge, with: {card: "${ $workflow.input.card }", amount: "${ $workflow.input.amount }"}}
  - done: {call: datastore.set, with: {key: last, value: "${ .receipt }"}}
"""
PAY = ORDER.replace("  - settle: {wait: PT5S}\n", "")
ASK = "do: [{ask: {call: approval, with: {title: Raise the limit?, description: Look well.}}}]\n"
PREPARE = """
from django.contrib.auth.models import Group, User
from django.utils import timezone
from dotdo_site.access import links
from workflows import operations
for name, text in {documents!r}.items():
    operations.publish_workflow(operations.draft_workflow(text, actor="system").id, actor="system")
user = User.objects.create(username="olga")
user.groups.set(Group.objects.filter(name="Operator"))
for _ in range({links}):
    print(links.create(user, actor="cli:test", now=timezone.now()))
"""


@dataclass
class Stack(Terminal):
    """A running installation with the workflows of these tests; `away` is the file that closes the bank."""

    tokens: list[str] = field(default_factory=list)

    @property
    def away(self) -> Path:
        """The bank is away as long as this file is there."""
        return self.var.parent / "away"

    @property
    def environment(self) -> dict[str, str]:
        """Give a shell in which the actions of these tests are known."""
        return super().environment | {"DOTDO_ACTION_MODULES": actions.__name__, actions.AWAY: str(self.away)}

    def prepare(self) -> None:
        """Publish the workflows, and make an operator with sign-in links."""
        documents = {"order": ORDER, "pay": PAY, "limit": ASK}
        texts = {name: HEAD % name + text for name, text in documents.items()}
        self.tokens = self.script(PREPARE.format(documents=texts, links=LINKS)).splitlines()[-LINKS:]

    def start_runs(self, *started: tuple[str, dict[str, object], str]) -> list[str]:
        """Start runs of (workflow, input, title) and return their ids."""
        return self.script(f"""
from workflows import operations
for name, value, title in {list(started)!r}:
    print(operations.start_workflow(name, value, actor="user:olga", trigger="test", title=title).run_id)
""").splitlines()


@pytest.fixture(scope="session")
def stack(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start the installation once; a browser that cannot be had is noticed before."""
    folder = tmp_path_factory.mktemp("real") / "var"
    started = Stack(folder, free_port())
    try:
        started.start()
        started.prepare()
        yield started
    finally:
        started.close()
        instance.stop(folder)
        embedded_postgres.remove(folder)


@pytest.fixture
def operator(browser: Browser, stack: Stack) -> Iterator[Open]:
    """Open a page as Olga, an Operator, signed in; each page has a context of its own."""
    contexts = []

    def open_page(*, javascript: bool = True) -> Page:
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{stack.port}",
            viewport={"width": 1440, "height": 900},
            java_script_enabled=javascript,
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(f"/sign-in/{stack.tokens.pop()}/")
        return page

    yield open_page
    for context in contexts:
        context.close()
