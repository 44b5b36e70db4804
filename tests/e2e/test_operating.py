"""What operators do in a browser: mend the input of a call, run again, look at what is hidden, pause and drain."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.e2e.test_pages import listen
from tests.support.axe import violations
from tests.support.engine import begin, finished, shown, work_until_idle
from workflows import operations
from workflows.models import Chore, Run, Worker

Open = Callable[..., Page]
pytestmark = pytest.mark.usefixtures("handlers")
REFUSED = "do: [{charge: {call: test-secretive, with: {token: hunter2, fail: true}}}]"


def worker(pid: int = 7) -> Worker:
    now = timezone.now()
    return Worker.objects.create(host="atlas", pid=pid, code_version="abc", started_at=now, heartbeat_at=now)


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_every_page_of_it_is_accessible_fits_its_screen_and_obeys_the_policy(
    sign_in: Open, tmp_path: Path, theme: str, width: int
) -> None:
    run = finished(begin(f"do: [{{a: {{call: test-outside, with: {{file: {tmp_path}}}}}}}]"))
    row = worker()
    operations.pause_queue("default", actor="user:olga", reason="the bank is down " * 20)
    Chore.objects.create(name="audit.seal", next_at=timezone.now(), error="OSError: " + "x" * 300)
    page = sign_in("Admin", theme=theme, width=width)
    said = listen(page)
    found: list[object] = []
    for address in (
        "/system/", "/system/queues/default/resume/", f"/system/workers/{row.pk}/drain/", f"/runs/{run.id}/again/",
        f"/runs/{run.id}/reveal/", f"/runs/{run.id}/steps/{run.steps[0].id}/edit/",
    ):  # fmt: skip
        page.goto(address)
        found += [(address, "px too wide", width)] * page.evaluate("document.documentElement.scrollWidth > innerWidth")
        found += said
        for each in violations(page):
            found.append((address, each["id"], [node["html"] for node in each["nodes"]]))
        said.clear()  # axe adds styles of its own, which the policy refuses
    assert found == []


def test_a_failed_call_is_mended_compared_and_retried(sign_in: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "wait_for", lambda *_: work_until_idle())
    run = finished(begin(REFUSED))
    page = sign_in("Admin")
    said = listen(page)
    page.goto(f"/runs/{run.id}/steps/{run.steps[0].id}/edit/")
    page.get_by_label("Fail").uncheck()
    page.get_by_role("button", name="Check and compare").click()
    expect(page.get_by_role("heading", name="What changes")).to_be_visible()
    page.get_by_role("button", name="JSON").click()
    text = page.locator('textarea[name="json"]').input_value()
    assert "•••" in text
    assert "hunter2" not in page.content()
    page.get_by_role("button", name="Form", exact=True).click()
    page.get_by_label("Reason").fill("it should not fail")
    page.get_by_label("Reason").press("Enter")
    expect(page.get_by_text("Nothing was done yet")).to_be_visible()
    page.get_by_role("button", name="Retry with this input").click()
    expect(page.get_by_text("Retried with the edited input, and it succeeded.")).to_be_visible()
    assert shown(run.id).output == {"length": len("hunter2")}
    assert not said


def test_a_run_is_repeated_and_what_is_hidden_is_not_in_the_history(sign_in: Open) -> None:
    run = finished(begin(REFUSED))
    page = sign_in("Admin")
    page.goto(f"/runs/{run.id}/again/")
    page.get_by_label("Reason").fill("the fix is out")
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_text("This run repeats story.")).to_be_visible()
    assert Run.objects.get(rerun_of=run.id).input == {}
    page.goto(f"/runs/{run.id}/reveal/")
    page.get_by_label("Reason").fill("a complaint")
    page.get_by_role("button", name="Show them once").click()
    expect(page.get_by_text("hunter2").first).to_be_visible()
    page.get_by_role("link", name="Back to the run").click()
    assert "hunter2" not in page.content()


def test_a_queue_is_paused_and_the_only_worker_is_drained(sign_in: Open) -> None:
    worker()
    page = sign_in()
    said = listen(page)
    page.goto("/system/")
    page.get_by_role("link", name="Pause default").click()
    page.get_by_label("Reason").fill("the bank is down")
    page.get_by_role("button", name="Pause the queue").click()
    expect(page.get_by_text("The queue default is paused.")).to_be_visible()
    page.get_by_role("link", name="Drain atlas:7").click()
    expect(page.get_by_text("No other worker takes steps now")).to_be_visible()
    page.get_by_label("Reason").fill("a new kernel")
    page.get_by_role("button", name="Drain the worker").click()
    expect(page.get_by_role("heading", name="All workers are drained")).to_be_visible()
    worker(8)  # another one is started, and the page learns of it
    expect(page.get_by_role("heading", name="All workers are drained")).to_be_hidden(timeout=15_000)
    assert not said
