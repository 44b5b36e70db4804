"""Runs as files: complete, harmless in a spreadsheet, masked, and no more memory for more of them."""

import csv
import io
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from dotdo_site.lib import canonical
from tests.support.engine import start_workflow
from tests.support.pages import Seeded
from workflows import queries
from workflows.models import Payload, Run
from workflows.operations.exports import traced
from workflows.queries import RunFilter
from workflows.views.export import as_csv, harmless

Reader = Callable[..., Client]


def taken(client: Client, query: str) -> str:
    response = client.get(f"/runs/export/?{query}")
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]  # it streams


def lines(client: Client, query: str = "") -> list[dict[str, Any]]:
    return [json.loads(line) for line in taken(client, f"format=ndjson&{query}").splitlines()]


def many(count: int) -> None:
    like = Run.objects.filter(state="succeeded", kind="workflow").first()
    assert like is not None
    now = timezone.now()
    Run.objects.bulk_create(
        Run(kind="workflow", workflow_version=like.workflow_version, name=like.name, state="succeeded", input={"n": 1},
            trigger="api", actor="user:x", created_at=now, finished_at=now)
        for _ in range(count)
    )  # fmt: skip


def test_a_table_has_a_header_and_a_row_for_each_run(reader: Reader, runs: Seeded) -> None:
    response = reader().get("/runs/export/?format=csv")
    assert response["Content-Disposition"] == f'attachment; filename="runs-{timezone.localdate():%Y-%m-%d}.csv"'
    assert response["Content-Type"].startswith("text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(taken(reader(), "format=csv"))))
    assert [row["id"] for row in rows] == [str(one) for one in Run.objects.order_by("-id").values_list("id", flat=True)]
    assert next(row for row in rows if row["id"] == str(runs.succeeded))["tags"] == '["region=eu"]'


def test_the_filter_is_that_of_the_list(reader: Reader, runs: Seeded) -> None:
    assert [line["id"] for line in lines(reader(), "status=failed&name=broken")] == [str(runs.failed)]
    assert reader().get("/runs/export/?format=csv&status=bogus").status_code == 400
    assert reader().get("/runs/export/?format=xml").status_code == 400
    assert reader().get("/runs/export/?format=csv&colour=red").status_code == 400


def test_values_are_whole_and_masked(reader: Reader, runs: Seeded) -> None:
    text = taken(reader("Admin"), "format=ndjson")
    assert "hunter2" not in text
    large = start_workflow("pause", {"text": "x" * 10_000})
    assert Payload.objects.filter(run=large).exists()
    assert len(lines(reader(), "name=pause")[0]["input"]["text"]) == 10_000


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://x")'])
def test_no_cell_is_taken_for_a_formula(reader: Reader, runs: Seeded, text: str) -> None:
    Run.objects.filter(pk=runs.failed).update(title=text)
    rows = csv.DictReader(io.StringIO(taken(reader(), "format=csv&name=broken"), newline=""))
    assert next(rows)["title"] == f"'{text}"


@pytest.mark.parametrize(
    ("value", "cell"), [(None, None), (1.5, 1.5), (True, "true"), ({"a": 1}, '{"a": 1}'), ("", "")]
)
def test_a_cell_holds_a_number_a_text_or_json(value: Any, cell: Any) -> None:
    assert harmless(value) == cell


def test_no_run_is_lost_or_doubled_while_runs_come(runs: Seeded) -> None:
    many(450)
    before = list(Run.objects.order_by("-id").values_list("id", flat=True))
    seen = []
    for number, line in enumerate(queries.exported(RunFilter())):
        seen.append(line["id"])
        if number % 150 == 0:
            many(5)
    assert seen == before


def test_the_limit_is_kept_and_stands_in_the_name(
    reader: Reader, runs: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(10)
    assert len(list(queries.exported(RunFilter(), 7))) == 7
    monkeypatch.setattr("workflows.views.export.EXPORT_LIMIT", 7)
    assert "-newest-7.csv" in reader().get("/runs/export/?format=csv")["Content-Disposition"]


def test_more_runs_need_no_more_memory(runs: Seeded) -> None:
    many(200)
    list(queries.exported(RunFilter()))

    def peak() -> int:
        tracemalloc.start()
        for _ in as_csv(queries.exported(RunFilter())):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    few = peak()
    many(1_000)
    assert peak() < 2 * few


def test_an_export_is_recorded_with_its_filter(reader: Reader, runs: Seeded) -> None:
    taken(reader(), "format=csv&status=failed&q=ada%40example.com")
    event = AuditEvent.objects.get(kind="runs.exported")
    assert event.actor == "user:operator"
    assert json.loads(event.data)["chosen"]["status"] == "failed"
    assert "ada" not in event.data, "the trail outlives what is erased"


def test_a_name_that_was_searched_for_cannot_be_found_by_trying_names_against_the_trail() -> None:
    assert traced({"q": "ada", "status": "failed"})["status"] == "failed"
    assert traced({"q": "ada"}) == traced({"q": "ada"})
    assert traced({"q": "ada"})["q"] != canonical.digest("ada")
