"""The page of a run: what it shows for whom, what stays chosen, and what it never does however long the run is."""

import json
import re
from collections.abc import Callable
from urllib.parse import quote
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.support.documents import publish
from tests.support.engine import begin, shown, start_workflow, work_until_idle
from tests.support.pages import Seeded
from workflows import operations
from workflows.models import Attempt, Run, Step

Reader = Callable[..., Client]
LOOP = """
do:
  - lines:
      for: {each: item, in: "${ .items }"}
      do:
        - price: {call: test-echo, with: {value: 1}}
  - stop: {call: test-refuses, with: {code: declined}}
  - never: {call: test-echo, with: {value: 1}}
"""


def text(client: Client, path: str, status: int = 200, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == status, response.content.decode()
    return response.content.decode()


def step_of(run_id: UUID, name: str) -> UUID:
    return next(step.id for step in shown(run_id).steps if step.name == name)


def test_the_row_of_views_counts_what_is_in_them(reader: Reader, runs: Seeded) -> None:
    tabs = reader().get(f"/runs/{runs.succeeded}/").context["tabs"]
    counts = {str(tab.title): tab.count for tab in tabs}
    assert counts["Logs"] == 2
    assert counts["Events"] > 3
    assert counts["Timeline"] is None


def test_former_addresses_of_views_still_lead_somewhere(reader: Reader, runs: Seeded) -> None:
    page = text(reader(), f"/runs/{runs.failed}/?view=audit")
    assert "was started by test" in page


def test_what_is_chosen_is_kept_by_every_link(reader: Reader, runs: Seeded) -> None:
    step = step_of(runs.failed, "charge")
    listed = quote("status=dead_letter", safe="")
    context = reader().get(f"/runs/{runs.failed}/?step={step}&fold=0&rows=problems&list={listed}").context
    for tab in context["tabs"]:
        assert {f"step={step}", "fold=0", "rows=problems", f"list={listed}"} <= set(tab.url.lstrip("?").split("&"))
    assert "step" not in context["link"]["none"].replace("step=none", "")


def test_the_runs_beside_this_one_are_those_of_the_list(reader: Reader, runs: Seeded) -> None:
    other = start_workflow("broken", {}, title="other")
    work_until_idle()
    page = text(reader(), f"/runs/{runs.failed}/?list={quote('status=dead_letter')}")
    assert f"/runs/{other}/?list=status%3Ddead_letter" in page
    assert "No older run in the list" in page
    assert "Newer run of the list" not in text(reader(), f"/runs/{runs.failed}/?list={quote('status=nonsense')}")


def test_a_step_has_a_page_and_htmx_gets_it_alone(reader: Reader, runs: Seeded) -> None:
    step = step_of(runs.failed, "charge")
    page = text(reader(), f"/runs/{runs.failed}/steps/{step}/")
    assert "<main" in page
    assert "declined" in page
    part = text(reader(), f"/runs/{runs.failed}/steps/{step}/", hx_request="true")
    assert "<main" not in part
    assert 'id="inspector"' in part
    text(reader(), f"/runs/{runs.failed}/steps/{runs.failed}/", 404)
    text(reader(), f"/runs/{runs.succeeded}/steps/{step}/", 404)


def test_attempts_can_be_chosen_and_compared(reader: Reader, runs: Seeded) -> None:
    step = step_of(runs.succeeded, "mail")
    first = text(reader(), f"/runs/{runs.succeeded}/?step={step}&attempt=1")
    assert "unavailable" in first
    assert "data-attempt-next" in first
    last = text(reader(), f"/runs/{runs.succeeded}/?step={step}")
    assert "data-attempt-prev" in last
    assert "as in attempt 1" in last


def test_a_difference_of_attempts_shows_what_changed_and_nothing_that_is_hidden(reader: Reader, runs: Seeded) -> None:
    step = Step.objects.get(run=runs.failed, name="charge")
    for number, tried in ((1, "hunter2"), (2, "hunter3")):
        Attempt.objects.update_or_create(
            step=step, number=number + 10, outcome="failed", input={"card": number, "password": tried},
            error={"code": "x", "message": str(number)}, finished_at=step.created_at,
        )  # fmt: skip
    page = text(reader("Auditor"), f"/runs/{runs.failed}/?step={step.id}&attempt=12&diff=input")
    assert 'class="del"' in page
    assert "&quot;card&quot;: 2" in page
    for path in (f"steps/{step.id}/raw/input/?attempt=12", f"?step={step.id}&attempt=12&diff=input", "?view=io"):
        assert "hunter" not in text(reader("Admin"), f"/runs/{runs.failed}/{path}")


def test_a_raw_value_of_a_step_is_that_of_its_attempt(reader: Reader, runs: Seeded) -> None:
    step = step_of(runs.succeeded, "mail")
    client = reader()
    error = client.get(f"/runs/{runs.succeeded}/steps/{step}/raw/error/?attempt=1")
    assert json.loads(error.content)["code"] == "unavailable"
    assert error["Content-Disposition"].endswith('-attempt-1-error.json"')
    assert client.get(f"/runs/{runs.succeeded}/steps/{step}/raw/error/").content == b"null"
    assert client.get(f"/runs/{runs.succeeded}/steps/{step}/raw/secrets/").status_code == 404


def test_logs_are_filtered_by_level_and_step_and_paged(reader: Reader, runs: Seeded) -> None:
    step = Step.objects.get(run=runs.failed, name="charge")
    lines = [{"at": n / 10, "level": "error" if n % 2 else "info", "message": f"line {n};"} for n in range(300)]
    Attempt.objects.create(step=step, number=9, outcome="failed", log=lines, finished_at=step.created_at)
    client, path = reader(), f"/runs/{runs.failed}/?view=logs"
    first = client.get(path)
    assert "line 0;" in first.content.decode()
    assert "line 200;" not in first.content.decode()
    second = client.get(f"/runs/{runs.failed}/{first.context['later_page']}")
    assert "line 299;" in second.content.decode()
    back = client.get(f"/runs/{runs.failed}/{second.context['earlier_page']}")
    assert "line 0;" in back.content.decode()
    assert "line 2;" not in text(client, f"{path}&level=error&of={step.id}")
    assert "No line fits" in text(client, f"{path}&of={step_of(runs.failed, 'prepare')}")
    assert "does not exist" in text(client, f"{path}&after=nonsense")
    assert "does not exist" in text(client, f"/runs/{runs.failed}/?view=events&before=nonsense")


def test_related_runs_are_found_both_ways(reader: Reader, runs: Seeded) -> None:
    Run.objects.filter(pk=runs.pending).update(rerun_of=runs.failed, key="k1")
    Run.objects.filter(pk=runs.failed).update(key="k1")
    client = reader()
    assert "Run again as" in text(client, f"/runs/{runs.failed}/?view=related")
    assert "Run again from" in text(client, f"/runs/{runs.pending}/?view=related")
    assert "No other run" in text(client, f"/runs/{runs.succeeded}/?view=related")


def test_a_long_loop_is_folded_and_opened_by_its_address(reader: Reader, handlers: None) -> None:
    run_id = begin(LOOP, {"items": list(range(12))})
    work_until_idle()
    page = text(reader(), f"/runs/{run_id}/")
    assert page.count(">price<") == 0
    assert page.count("12</span>") == 1
    assert ">never<" in page
    assert text(reader(), f"/runs/{run_id}/?open=/do/0/lines").count(">price<") == 12
    assert ">never<" not in text(reader(), f"/runs/{run_id}/?rows=problems")


def test_what_is_impossible_says_why_to_everybody(reader: Reader, runs: Seeded) -> None:
    page = text(reader("Admin"), f"/runs/{runs.succeeded}/")
    assert "This run has already succeeded." in page
    assert re.search(r'aria-disabled="true" aria-describedby="why-\d+"', page)
    assert f'href="/runs/{runs.succeeded}/cancel/"' not in page


def test_a_step_that_was_skipped_says_how_long_it_waited_as_the_timeline_does(reader: Reader, runs: Seeded) -> None:
    step = shown(runs.waiting).steps[1]
    operations.skip(runs.waiting, step.key, None, actor="user:test", reason="no time")
    work_until_idle()
    page = text(reader(), f"/runs/{runs.waiting}/?step={step.id}")
    assert "<dt>Waited</dt>" in page
    assert "<dt>Began</dt>" not in page


def test_an_erased_run_says_when_and_why(reader: Reader, runs: Seeded) -> None:
    operations.erase(runs.succeeded, actor="user:ada", reason="asked for by the customer")
    page = text(reader(), f"/runs/{runs.succeeded}/", 410)
    assert "asked for by the customer" in page
    assert "onboard:1.0.0" in page
    assert "audit.view_auditevent" in text(reader("Viewer"), f"/runs/{runs.succeeded}/", 410)


@pytest.mark.parametrize("view", ["timeline", "events", "logs", "related", "io"])
def test_the_queries_of_a_page_do_not_grow_with_the_run(reader: Reader, handlers: None, view: str) -> None:
    publish("loop", LOOP)
    short, long = (start_workflow("loop", {"items": list(range(size))}) for size in (2, 40))
    work_until_idle(30)
    client, counts = reader(), []
    for run_id in (short, long, short):
        with CaptureQueriesContext(connection) as found:
            text(client, f"/runs/{run_id}/?view={view}")
        counts.append(len(found))
    assert counts[1] == counts[2] <= 40
