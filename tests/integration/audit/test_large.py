"""No statement of verification, export and the admin grows with the installation: each has a time limit."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import connection

from audit import exporting, pruning, sealing, verify_seals
from audit.models import Tombstone
from tests.integration.audit.trails import Superuser, behind, chain, judged, verify
from tests.support.engine import finished, start_action
from workflows.models import Branch
from workflows.queries import chains

pytestmark = pytest.mark.usefixtures("handlers")
BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
PAGE = 2


@contextmanager
def longest_answers() -> Iterator[list[int]]:
    """Collect how many rows the statements of the ORM return."""
    found = list[int]()

    def seen(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if "audit_tombstone" in sql:
            found.append(rest[-1]["cursor"].rowcount)
        return result

    with connection.execute_wrapper(seen):
        yield found


@pytest.fixture
def prunings() -> list[uuid.UUID]:
    """Prune seven chains, one after the other, each with a seal of its own."""
    names = [chain(2) for _ in range(7)]
    sealing.seal()
    for name in names:
        assert pruning.prune([name], before=BEFORE, actor="user:test").chains == 1
    return names


def test_branches_are_held_against_their_chains_a_page_at_a_time(
    superuser: Superuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [start_action("test-echo", {"value": number}) for number in range(5)]
    for run in runs:
        finished(run)
    branches = sorted(Branch.objects.filter(run__in=runs).values_list("pk", flat=True))
    pages, original = list[int](), chains._ENDS.rows

    def rows(values: Any) -> Any:
        page = original(values)
        pages.append(len(page))
        return page

    monkeypatch.setattr(chains, "PAGE", PAGE)
    monkeypatch.setattr(chains._ENDS, "rows", rows)
    assert list(chains.cut_chains()) == []
    assert pages == [2, 2, 1, 0]
    behind(superuser, f"DELETE FROM audit_event WHERE chain IN ('{branches[0]}', '{branches[4]}')")
    assert [found for found, _, _ in chains.cut_chains()] == [branches[0], branches[4]]
    assert [found for found, _, _ in chains.cut_chains(branches[4])] == [branches[4]]
    assert list(chains.cut_chains(branches[3])) == []


def test_tombstones_are_read_a_page_at_a_time(
    tmp_path: Path, prunings: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PAGE", PAGE)
    monkeypatch.setattr(verify_seals, "PAGE", PAGE)
    with longest_answers() as found:
        call_command("export_audit", to=tmp_path / "all")
        assert verify() == "whole"
    assert judged(tmp_path / "all") == []
    assert (tmp_path / "all").read_text().count('"type":"tombstone"') == len(prunings)
    assert max(found) <= PAGE
    assert len(found) > len(prunings)


@pytest.mark.parametrize(
    "ordering", [("batch", "chain"), admin.site._registry[Tombstone].ordering], ids=["prunings", "admin"]
)
def test_tombstones_are_found_by_an_index(ordering: tuple[str, ...]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        try:
            plan = Tombstone.objects.order_by(*ordering)[:PAGE].explain()
        finally:
            cursor.execute("RESET enable_seqscan")
    assert "audit_tombstone_" in plan
    assert "Sort" not in plan
