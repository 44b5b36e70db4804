"""What the matrices share: the workflows, a folder for what is armed, a sink that counts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from actions import registry, sync
from tests.fault.failpoints import actions
from tests.fault.failpoints.cases import DOCUMENT, INNER, SLOW
from tests.fault.failpoints.matrix import Matrix
from tests.fault.failpoints.sink import Sink, sink
from tests.support.documents import publish


@pytest.fixture
def counting() -> Iterator[Sink]:
    with sink() as server:
        yield server


@pytest.fixture
def matrix(handlers: None, counting: Sink, tmp_path: Path) -> Matrix:
    sync.sync([spec for spec in registry.specs() if spec.function.__module__ == actions.__name__], actor="system")
    publish("inner", INNER)
    publish("matrix", DOCUMENT)
    publish("slow", SLOW)
    folder = tmp_path / "points"
    folder.mkdir()
    return Matrix(folder, counting)
