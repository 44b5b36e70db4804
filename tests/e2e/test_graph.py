"""The graph in a browser: a node opens its step, a fold opens in place, Back leads back."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.documents import publish
from tests.support.engine import start_workflow, work_until_idle
from tests.support.pages import Seeded

Open = Callable[..., Page]
WIDE = (
    "do: [{all: {fork: {branches: ["
    + ",".join(f"{{b{n}: {{call: test-echo, with: {{value: 1}}}}}}" for n in range(8))
    + "]}}}]"
)


def test_a_node_opens_its_step_and_back_closes_it(sign_in: Open, runs: Seeded) -> None:
    page = sign_in()
    page.goto(f"/runs/{runs.failed}/?view=graph")
    page.get_by_role("link", name="prepare").click()
    expect(page.locator("#h-step")).to_have_text("prepare")
    expect(page.get_by_role("link", name="prepare")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="Definition").click()
    expect(page.locator("#graph")).to_contain_text("test-refuses:1.0.0")
    page.go_back()
    expect(page.locator("#graph")).to_contain_text("as it ran")
    page.go_back()
    expect(page.locator("#h-step")).to_have_count(0)


def test_branches_open_in_place_on_both_pages(sign_in: Open, runs: Seeded) -> None:
    publish("wide", WIDE)
    run = start_workflow("wide", {})
    work_until_idle(20)
    page = sign_in()
    for address in ("/workflows/wide/", f"/runs/{run}/?view=graph"):
        page.goto(address)
        page.get_by_role("link", name="5 more branches").click()
        expect(page.locator("#graph .node")).to_have_count(8)
        assert "open=" in page.url
        page.reload()
        expect(page.locator("#graph .node")).to_have_count(8)
