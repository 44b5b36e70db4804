"""Installations that keep runs for 30 days, and runs that have been over for 40."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.interleaving import let_all_go


@pytest.fixture
def archive(handlers: None, settings: Any, tmp_path: Path) -> Iterator[Path]:
    """Keep everything for 30 days, then write it to this folder and delete it."""
    settings.RETENTION_DAYS = 30
    settings.RETENTION_EXPORT = True
    settings.RETENTION_DIR = tmp_path / "archive"
    yield settings.RETENTION_DIR
    let_all_go()
