"""The table of scopes in the documentation is the table in the code."""

import re
from pathlib import Path

from dotdo_site.access.scopes import SCOPES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "api.md"


def test_every_scope_is_documented_with_its_sentence() -> None:
    table = PAGE.read_text().split("| scope | allows |", 1)[1].split("\n\n", 1)[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", table, re.MULTILINE)
    assert dict(rows) == SCOPES
