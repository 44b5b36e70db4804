"""The page of a run in a browser: updates leave alone what the reader holds, and Back leads back."""

from uuid import UUID

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Open
from tests.support.documents import publish
from tests.support.engine import shown, start_workflow, work_until_idle
from tests.support.pages import Seeded
from workflows import operations

LONG = "do:\n  - first: {call: test-echo, with: {value: {deep: {deeper: {deepest: [1, 2, 3]}}}}}\n" + "".join(
    f"  - nap{n}: {{wait: {{hours: 1}}}}\n" for n in range(3)
)

OPENED = "[...document.querySelectorAll('#inspector details')].map((each) => each.open)"


def open_nap(sign_in: Open) -> tuple[Page, UUID]:
    publish("long", LONG)
    run_id = start_workflow("long", {})
    work_until_idle()
    page = sign_in()
    step = next(step for step in shown(run_id).steps if step.name == "first")
    page.goto(f"/runs/{run_id}/?step={step.id}")
    return page, run_id


def fire(run_id: UUID) -> None:
    """Let the run change: end the wait that it is in."""
    open_step = next(step for step in shown(run_id).steps if step.can_fire is None)
    operations.fire_timer(run_id, open_step.key, actor="user:test", reason="test")
    work_until_idle()


def test_an_update_closes_nothing_and_moves_no_focus(sign_in: Open, handlers: None) -> None:
    page, run_id = open_nap(sign_in)
    page.locator("#inspector .json details:not([open]) > summary").first.click()
    opened = page.evaluate(OPENED)
    page.locator("tbody th a", has_text="first").focus()
    page.evaluate("document.querySelector('.insp').scrollTop = 40")
    fire(run_id)
    expect(page.locator("tbody th a", has_text="nap1")).to_be_visible(timeout=8_000)
    assert page.evaluate("document.activeElement.textContent").startswith("first")
    assert page.evaluate(OPENED) == opened


def test_updates_wait_for_an_open_menu(sign_in: Open, handlers: None) -> None:
    page, run_id = open_nap(sign_in)
    page.locator("#run-more summary").click()
    fire(run_id)
    page.wait_for_timeout(3_000)
    expect(page.locator("#run-more .choices")).to_be_visible()
    expect(page.locator("tbody th a", has_text="nap1")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#run-more .choices")).to_be_hidden()
    expect(page.locator("tbody th a", has_text="nap1")).to_be_visible(timeout=8_000)


def test_a_chosen_step_view_and_fold_survive_back_forward_and_reload(sign_in: Open, runs: Seeded) -> None:
    page = sign_in()
    page.goto(f"/runs/{runs.failed}/")
    page.get_by_role("link", name="prepare").click()
    expect(page.locator("#h-step")).to_have_text("prepare")
    page.get_by_role("link", name="Input and output").click()
    expect(page.locator("#h-input")).to_be_visible()
    assert "step=" in page.url
    page.go_back()
    expect(page.locator("#h-timeline")).to_be_visible()
    expect(page.locator("#h-step")).to_have_text("prepare")
    page.go_back()
    expect(page.locator("#h-step")).to_have_text("charge")
    page.go_forward()
    expect(page.locator("#h-step")).to_have_text("prepare")
    page.reload()
    expect(page.locator("#h-step")).to_have_text("prepare")


def test_a_value_is_copied_as_it_is_shown(sign_in: Open, runs: Seeded) -> None:
    page = sign_in()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/runs/{runs.succeeded}/?view=io")
    page.locator("#copy-run-input").click()
    expect(page.locator("#announce")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert '"file"' in copied
    assert "hunter2" not in copied
