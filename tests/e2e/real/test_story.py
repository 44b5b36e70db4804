"""An operator's day against everything that `make up` starts: real workers, real time, a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.real.conftest import Open, Stack

SOON = 15_000
RETRIED = (
    "from audit.models import AuditEvent; print(AuditEvent.objects.filter(run={run!r}, kind='run.retried').count())"
)
pytestmark = pytest.mark.timeout(120)


def start(page: Page, card: str, amount: str, *, name: str = "order") -> str:
    """Start a run from the form and return its path."""
    page.goto(f"/workflows/{name}/start/")
    page.get_by_label("Card").fill(card)
    page.get_by_label("Amount").fill(amount)
    page.get_by_role("button", name="Start").first.click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}/"))
    return page.url.partition("?")[0]


def says(page: Page, text: str) -> None:
    expect(page.locator("#head").get_by_text(text).first).to_be_visible(timeout=SOON)


def test_a_run_is_started_from_a_form_watched_live_fails_says_why_and_succeeds_with_another_input(
    operator: Open,
) -> None:
    page = operator()
    run = start(page, "0000-1", "20")
    expect(page.locator("#head")).not_to_contain_text("declined")  # it comes by itself, while it is looked at
    says(page, "The bank declined card 0000-1.")
    page.get_by_role("link", name="Show step").click()
    inspector = page.locator("#inspector")
    inspector.get_by_role("link", name="Edit input…").click()
    page.get_by_label("Card").first.fill("4242-1")
    page.get_by_role("button", name="Check and compare").click()
    expect(page.get_by_text("4242-1").first).to_be_visible()
    page.get_by_label("Reason").fill("they sent another card")
    page.get_by_role("button", name="Retry with this input").click()
    expect(page).to_have_url(re.compile(run))
    says(page, "Succeeded")
    page.goto(f"{run}?view=events")
    expect(page.get_by_text("they sent another card").first).to_be_visible()


def test_an_approval_is_answered_and_its_run_goes_on(operator: Open, stack: Stack) -> None:
    run = stack.start_runs(("limit", {}, "limit of Ada"))[0]
    page = operator()
    page.goto(f"/runs/{run}/")
    says(page, "Raise the limit?")
    page.goto("/approvals/")
    page.get_by_role("link", name="Raise the limit?", exact=True).click()
    page.get_by_role("button", name="Approve").click()
    page.goto(f"/runs/{run}/")
    says(page, "Succeeded")


def test_without_javascript_a_run_is_read_and_retried(operator: Open, stack: Stack) -> None:
    stack.away.touch()
    run = stack.start_runs(("pay", {"card": "1111-2", "amount": 5}, "read without scripts"))[0]
    stack.await_state(run, "failed")
    stack.away.unlink()
    page = operator(javascript=False)
    page.goto("/runs/?status=failed")
    page.get_by_role("link", name="read without scripts").first.click()
    expect(page.get_by_text("The bank is away.").first).to_be_visible()
    page.get_by_role("link", name="Input and output").click()
    expect(page.get_by_text("1111-2").first).to_be_visible()
    page.get_by_role("link", name=re.compile("Retry")).first.click()
    page.get_by_label("Reason").fill("the bank is back")
    page.get_by_role("button", name=re.compile("Retry")).last.click()
    stack.await_state(run, "succeeded")
    page.reload()
    says(page, "Succeeded")


def test_several_failures_are_picked_and_retried_and_the_batch_comes_to_its_end(operator: Open, stack: Stack) -> None:
    stack.away.touch()
    names = [f"order {number} of the outage" for number in range(3)]
    runs = stack.start_runs(*(("pay", {"card": f"3333-{name}", "amount": 1}, name) for name in names))
    for run in runs:
        stack.await_state(run, "failed")
    stack.away.unlink()
    page = operator()
    page.goto("/runs/?status=failed&q=order")
    for name in names:
        page.get_by_role("row").filter(has_text=name).get_by_role("checkbox").check()
    page.get_by_role("button", name="Retry").click()
    page.get_by_label("Reason").fill("the bank is back")
    page.locator("#main").get_by_role("button", name=re.compile("Retry")).click()
    expect(page).to_have_url(re.compile("/batches/[0-9a-f-]{36}/"))
    expect(page.get_by_text("Finished").first).to_be_visible(timeout=SOON)
    for run in runs:
        stack.await_state(run, "succeeded")


def test_a_run_is_found_opened_and_retried_by_keys_alone(operator: Open, stack: Stack) -> None:
    stack.away.touch()
    run = stack.start_runs(("pay", {"card": "5555-1", "amount": 5}, "found by keys"))[0]
    stack.await_state(run, "failed")
    stack.away.unlink()
    page = operator()
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url(re.compile("/runs/"))  # and until it is loaded: it hears no key before
    page.keyboard.press("j")
    expect(page.locator(":focus")).to_contain_text("found by keys")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(run))
    page.keyboard.press("r")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("dialog").get_by_label("Reason").focus()
    page.keyboard.type("the bank is back")
    page.keyboard.press("Enter")
    says(page, "Succeeded")


def test_back_and_forward_and_reload_give_the_filter_and_the_view_that_were_there(operator: Open, stack: Stack) -> None:
    run = stack.start_runs(("pay", {"card": "6666-1", "amount": 5}, "there and back"))[0]
    stack.await_state(run, "succeeded")
    page = operator()
    page.goto("/runs/?q=there")
    page.get_by_role("link", name="there and back").first.click()
    expect(page).to_have_url(re.compile(run))
    page.get_by_role("link", name="Input and output").click()
    expect(page).to_have_url(re.compile("view=io"))
    page.reload()
    expect(page.get_by_text("6666-1").first).to_be_visible()
    page.go_back()
    expect(page).not_to_have_url(re.compile("view=io"))
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()  # or the next step back cuts it off
    page.go_back()
    expect(page).to_have_url(re.compile(r"/runs/\?q=there"))
    expect(page.get_by_role("link", name="there and back").first).to_be_visible()
    page.go_forward()
    expect(page).to_have_url(re.compile(run))


def test_what_is_done_in_one_tab_is_seen_in_the_other_and_is_not_done_twice(operator: Open, stack: Stack) -> None:
    stack.away.touch()
    run = stack.start_runs(("pay", {"card": "7777-1", "amount": 5}, "two tabs"))[0]
    stack.await_state(run, "failed")
    stack.away.unlink()
    first = operator()
    second = first.context.new_page()
    for page in (first, second):
        page.goto(f"/runs/{run}/")
    second.goto(f"/runs/{run}/retry/")
    first.goto(f"/runs/{run}/retry/")
    for page in (first, second):
        page.get_by_label("Reason").fill("the bank is back")
    first.get_by_role("button", name="Retry", exact=True).click()
    says(first, "Succeeded")
    second.get_by_role("button", name="Retry", exact=True).click()
    assert stack.script(RETRIED.format(run=run)) == "1"
