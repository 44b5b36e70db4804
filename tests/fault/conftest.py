"""What the scripted tests share."""

from collections.abc import Iterator

import pytest

from tests.support.interleaving import let_all_go


@pytest.fixture(autouse=True)
def nobody_waits_for_ever() -> Iterator[None]:
    """Let go whoever a failed test left standing in its turn."""
    yield
    let_all_go()
