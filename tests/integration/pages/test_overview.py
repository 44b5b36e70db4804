"""The first page is polled by everybody: what it looks for has an index."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.support.rows import run
from workflows import queries
from workflows.models import Run
from workflows.queries.labels import UNRESOLVED
from workflows.views import overview


@pytest.mark.usefixtures("handlers")
def test_the_first_page_shows_the_newest_of_all_failures_that_nobody_has_settled(reader: Callable[..., Client]) -> None:
    made = [run("failed", reason, stopped=timedelta(0)) for reason in ("", "timed_out", "poisoned", "undo_failed")]
    run("failed", "", stopped=timedelta(0), resolved_at=timezone.now())
    run("failed", "undone", stopped=timedelta(0))
    assert [row.id for row in queries.unresolved(3)] == [each.pk for each in made[:0:-1]]
    assert {row.label for row in queries.unresolved(9)} <= set(overview.FAILED)
    page = reader().get("/").content.decode()
    for each in made:
        assert str(each.pk) in page


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("order", ["-id", "id"])
def test_failures_that_nobody_has_settled_are_found_without_reading_the_others(order: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
        plan = Run.objects.filter(UNRESOLVED).order_by(order)[:6].explain()
        cursor.execute("RESET enable_seqscan; RESET enable_bitmapscan; RESET enable_sort")
    assert "run_unresolved" in plan
