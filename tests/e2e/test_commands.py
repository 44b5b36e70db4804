"""What people do to runs, in a browser: answer, suspend, resume, undo; every form is accessible and fits its screen."""

from collections.abc import Callable
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_pages import listen
from tests.support.axe import violations
from tests.support.documents import publish
from tests.support.engine import start_workflow, work_until_idle
from workflows.models import Step

Open = Callable[..., Page]
pytestmark = pytest.mark.usefixtures("handlers")
ASK = """
do:
  - lines:
      for: {each: line, in: "${ .lines }"}
      do:
        - guarded:
            try: [{pay: {call: test-refuses, with: {code: declined}}}]
            catch: {do: [{note: {call: test-echo, with: {value: noted}}}]}
  - ask:
      call: approval
      with:
        title: Raise the limit?
        description: Look well.
        dueIn: {days: 2}
        form:
          type: object
          required: [limit]
          properties:
            limit: {type: number, title: New limit}
            lines: {type: array, items: {type: string}, title: Lines}
"""
TRIP = """
do:
  - flight:
      call: test-echo
      with: {value: {id: f1}}
      metadata: {dotdo: {undo: {call: test-echo, with: {value: "${ .id }"}}}}
  - paid: {listen: {to: {one: {with: {type: com.example.paid}}}}}
  - pay: {call: test-refuses, with: {code: declined}}
"""


def step(run: UUID, name: str) -> Step:
    return Step.objects.filter(run=run, name=name).latest("id")


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_every_form_is_accessible_fits_its_screen_and_obeys_the_policy(sign_in: Open, theme: str, width: int) -> None:
    ask = start_workflow(publish("ask", ASK), {"lines": ["a", "b"]})
    trip = start_workflow(publish("trip", TRIP), {})
    work_until_idle()
    page = sign_in("Admin", theme=theme, width=width)
    said = listen(page)
    found: list[object] = []
    for address in (
        "/approvals/", f"/approvals/{ask}/{step(ask, 'ask').id}/", f"/runs/{ask}/?step={step(ask, 'ask').id}",
        f"/runs/{ask}/?view=graph", f"/runs/{ask}/suspend/", f"/runs/{trip}/?step={step(trip, 'paid').id}",
        f"/runs/{trip}/undo/", f"/runs/{trip}/event/", f"/runs/{trip}/steps/{step(trip, 'paid').id}/skip/",
        f"/runs/{trip}/steps/{step(trip, 'paid').id}/fire/",
    ):  # fmt: skip
        page.goto(address)
        found += [(address, "px too wide", width)] * page.evaluate("document.documentElement.scrollWidth > innerWidth")
        found += said
        for each in violations(page):
            found.append((address, each["id"], [node["html"] for node in each["nodes"]]))
        said.clear()  # axe adds styles of its own, which the policy refuses
    assert found == []


def choose(page: Page, command: str) -> None:
    """Choose a command from the menu of a run."""
    page.locator("#run-more > summary").click()
    page.locator("#run-more").get_by_role("link", name=command).click()


def test_an_approval_is_found_by_its_count_filled_in_and_answered(sign_in: Open) -> None:
    run_id = start_workflow(publish("ask", ASK), {"lines": []}, title="Ada")
    work_until_idle()
    page = sign_in()
    said = listen(page)
    page.goto("/")
    page.get_by_role("link", name="Approvals 1 open").click()
    page.get_by_role("link", name="Raise the limit?", exact=True).click()
    page.get_by_label("New limit").fill("much")
    page.get_by_role("button", name="Add item").click()
    page.locator('input[name="/lines/0"]').fill("first")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="1 problem, nothing was answered")).to_be_visible()
    page.get_by_label("New limit").fill("500")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Raise the limit?: approved.")).to_be_visible()
    work_until_idle()
    page.goto(f"/runs/{run_id}/?view=io")
    expect(page.get_by_text("approved").first).to_be_visible()
    output = step(run_id, "ask").output
    assert output is not None
    assert output["data"] == {"limit": 500, "lines": ["first"]}
    assert not [line for line in said if "422" not in line]


def test_a_run_is_suspended_resumed_sent_an_event_and_undone_from_its_page(sign_in: Open) -> None:
    run_id = start_workflow(publish("trip", TRIP), {})
    work_until_idle()
    page = sign_in()
    page.goto(f"/runs/{run_id}/")
    choose(page, "Suspend")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("stop the press")
    dialog.get_by_role("button", name="Suspend the run").click()
    expect(page.get_by_text("The run is suspended.")).to_be_visible()
    choose(page, "Resume")
    page.get_by_role("dialog").get_by_label("Reason").fill("go")
    page.get_by_role("dialog").get_by_role("button", name="Resume the run").click()
    expect(page.get_by_text("Resumed; it is going on")).to_be_visible()
    page.get_by_role("link", name="Send event…").first.click()
    page.get_by_label("Type").fill("com.example.paid")
    page.get_by_label("Reason").fill("they called")
    page.get_by_role("button", name="Send the event").click()
    expect(page.get_by_text("The event is in the mailbox of the run.")).to_be_visible()
    work_until_idle()
    page.reload()
    expect(page.get_by_role("heading", name="pay failed: the other side said no")).to_be_visible()
    choose(page, "Undo")
    page.get_by_role("dialog").get_by_label("Reason").fill("the customer left")
    page.get_by_role("dialog").get_by_role("button", name="Undo the run").click()
    work_until_idle()
    page.goto(f"/runs/{run_id}/")
    expect(page.get_by_role("heading", name="Everything that it had done is undone")).to_be_visible()
    expect(page.get_by_role("link", name="undo of flight")).to_be_visible()
