"""The table of scopes in the documentation is the table in the code."""

import re
from pathlib import Path

from dotdo_site.access.scopes import SCOPES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "api.md"


def test_every_scope_is_documented_with_its_sentence() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert dict(rows) == SCOPES
