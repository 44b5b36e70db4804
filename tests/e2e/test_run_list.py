"""The list of runs in a browser: what a reader holds stays when rows renew themselves; all of it without scripts."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from dotdo_site.access import links
from tests.e2e.conftest import Open
from tests.support.engine import start_workflow, work_until_idle
from tests.support.pages import Seeded, person
from workflows import batches, operations
from workflows.models import Batch


@pytest.fixture
def plain(browser: Browser, site: str) -> Iterator[Page]:
    """Open a page where no script runs."""
    context = browser.new_context(java_script_enabled=False, base_url=site)
    page = context.new_page()
    page.goto(f"/sign-in/{links.create(person('Operator'), actor='cli:test', now=timezone.now())}/")
    if page.locator("main form button").count():
        page.locator("main form button").first.click()
    yield page
    context.close()


def work_off() -> None:
    Batch.objects.update(rate=1000, due_at=timezone.now() - timedelta(hours=1))
    batches.work(10)
    batches.work(10)


def test_a_change_keeps_ticked_boxes_the_focus_and_an_open_menu(sign_in: Open, runs: Seeded) -> None:
    page = sign_in()
    page.goto("/runs/")
    page.locator(f"#pick-{runs.failed}").check()
    page.locator(f"#more-{runs.waiting}").click()
    page.locator(f"#open-{runs.waiting}").focus()
    operations.cancel(runs.waiting, actor="user:test", reason="test")
    start_workflow("broken", {}, title="brand new")
    expect(page.locator(f"#status-{runs.waiting}")).to_contain_text("Cancelled", timeout=15_000)
    expect(page.locator("#news")).to_contain_text("1 new run")
    assert page.locator(f"#pick-{runs.failed}").is_checked()
    expect(page.locator(f"#menu-{runs.waiting}")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == f"open-{runs.waiting}"
    assert page.get_by_text("brand new").count() == 0
    page.locator("#news-link").click()
    expect(page.get_by_text("brand new")).to_be_visible()


def test_filters_go_into_the_address_and_back(sign_in: Open, runs: Seeded) -> None:
    page = sign_in()
    page.goto("/runs/")
    page.locator("#filter-q").fill("order/8")
    page.locator("#filter-q").press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert page.url.endswith("/runs/?q=order%2F8")
    page.go_back()
    expect(page.locator("tbody tr")).not_to_have_count(1)
    page.go_forward()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_many_runs_are_picked_retried_and_told_of(sign_in: Open, runs: Seeded) -> None:
    page = sign_in()
    page.goto("/runs/?status=failed")
    expect(page.locator("#bulk")).to_be_hidden()
    page.locator("[data-select-page]").check()
    expect(page.locator("#bulk")).to_contain_text("1 selected")
    page.get_by_role("button", name="Retry from failure").click()
    expect(page.locator("h1")).to_have_text("Retry 1 run?")
    page.locator("#reason").fill("gateway is back")
    page.get_by_role("button", name="Retry 1 run").click()
    expect(page.locator("h1")).to_contain_text("Retry from failure")
    work_off()
    work_until_idle(20)
    expect(page.locator("#batch-head")).to_contain_text("1 failed again", timeout=15_000)


def test_without_scripts_runs_are_picked_and_cancelled(plain: Page, runs: Seeded) -> None:
    plain.goto("/runs/?status=waiting")
    plain.locator(f"#pick-{runs.waiting}").check()
    expect(plain.locator("#bulk")).to_be_visible()
    plain.get_by_role("button", name="Cancel", exact=True).click()
    expect(plain.locator("h1")).to_have_text("Cancel 1 run?")
    plain.locator("#reason").fill("not needed")
    plain.get_by_role("button", name="Cancel 1 run").click()
    work_off()
    plain.reload()
    expect(plain.locator("#batch-head")).to_contain_text("1 of 1 had their turn")
    plain.goto(f"/search/?q={runs.waiting}")
    expect(plain.locator("main")).to_contain_text("Cancelled")
