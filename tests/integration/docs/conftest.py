"""The actions that the documentation defines, registered and published as a reader would have them."""

import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import ModuleType

import pytest

from actions import publishing, registry, secrets, sync
from actions.models import Connection
from dotdo_site.access import keys
from tests.integration.api.conftest import EVERY_SCOPE, Caller, person
from tests.integration.docs.blocks import Block, blocks


@pytest.fixture(scope="package")
def documented_code() -> Iterator[list[ModuleType]]:
    """Run every Python block that needs no database; those of one page build on each other, as one module."""
    registry.discover()
    before = {(spec.name, spec.version) for spec in registry.specs()}
    alone = [block for block in blocks("python") if "publishes" not in block.words]
    modules = [_run(page, list(found)) for page, found in groupby(alone, lambda block: block.page)]
    yield modules
    registry.forget({spec.name for spec in registry.specs() if (spec.name, spec.version) not in before})
    for module in modules:
        del sys.modules[module.__name__]


@pytest.fixture
def documented_actions(database: None, documented_code: list[ModuleType]) -> None:
    """Publish the actions of the Python and JSON blocks, and make the connection that the examples name."""
    sync.sync(registry.specs(), actor="system")
    secrets.set_secret(Connection(name="crm", allowed_hosts=["crm.example.com"]), "not-a-real-one", actor="user:test")
    for block in blocks("json"):
        if "action" in block.words:
            draft = publishing.create_draft(**json.loads(block.text), actor="system")
            publishing.publish(draft, actor="system")


@pytest.fixture
def api(documented_actions: None) -> Caller:
    """Call with a key that may do everything."""
    _, plaintext = keys.issue("docs", person("Admin"), EVERY_SCOPE, actor="cli:test")
    return Caller(authorization=f"Bearer {plaintext}")


def _run(page: Path, parts: list[Block]) -> ModuleType:
    module = ModuleType(f"documented_{page.stem}".replace("-", "_").lower())
    sys.modules[module.__name__] = module
    for block in parts:
        exec(compile(block.text, str(block), "exec"), module.__dict__)
    return module
