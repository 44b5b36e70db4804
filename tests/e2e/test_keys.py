"""The pages by keyboard alone, and in the reader's own time zone."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from dotdo_site.access import links
from tests.e2e.test_pages import listen
from tests.support.pages import Seeded, person

Open = Callable[..., Page]
ROWS = """
<table><tbody>{rows}</tbody></table>
<p><span data-selected></span></p>
<aside class="insp"><a href="#closed" data-close-inspector>Close</a></aside>
<nav><a href="#two" data-tab="2">Two</a><a href="#earlier" data-attempt-prev>Earlier</a></nav>
"""
ROW = """
<tr><td><input type="checkbox" data-select value="{n}"></td><td><a class="t" href="#row-{n}">row {n}</a></td></tr>
"""
# What has the focus, whether it or its frame is outlined, and whether it is inside of the window.
FOCUSED = """(() => {
  const element = document.activeElement, box = element.getBoundingClientRect();
  const outlined = [element, element.closest(".search") ?? element].map((each) => getComputedStyle(each))
    .some((style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
  return [element.outerHTML.slice(0, 80), outlined, box.top >= -1 && box.bottom <= innerHeight + 1];
})()"""


@pytest.fixture
def table(sign_in: Open, handlers: None) -> Page:
    """A page with rows to steer through."""
    page = sign_in()
    page.goto("/preferences/")
    rows = ROWS.format(rows="".join(ROW.format(n=n) for n in range(5)))
    page.evaluate("rows => document.getElementById('main').insertAdjacentHTML('afterbegin', rows)", rows)
    return page


def test_rows_are_walked_selected_and_opened(table: Page) -> None:
    said = listen(table)
    for key in ("j", "j", "x", "j", "j", "j", "k"):
        table.keyboard.press(key)
    expect(table.get_by_role("link", name="row 3")).to_be_focused()
    table.keyboard.press("Shift+X")
    assert table.locator("[data-select]:checked").evaluate_all("all => all.map((each) => each.value)") == [
        "1",
        "2",
        "3",
    ]
    expect(table.locator("[data-selected]")).to_have_text("3")
    assert table.locator("tr[aria-selected=true]").count() == 3
    table.keyboard.press("Enter")
    assert table.url.endswith("#row-3")
    assert said == []


@pytest.mark.parametrize(("key", "leads"), [("2", "#two"), ("[", "#earlier"), ("Escape", "#closed")])
def test_a_key_presses_its_link(table: Page, key: str, leads: str) -> None:
    table.keyboard.press(key)
    assert table.url.endswith(leads)


def test_g_and_a_letter_lead_to_a_page_of_the_navigation(table: Page) -> None:
    table.keyboard.press("g")
    table.keyboard.press("w")
    table.wait_for_url("**/workflows/")


def test_keys_do_nothing_while_somebody_types(table: Page) -> None:
    table.keyboard.press("/")
    expect(table.locator("#search")).to_be_focused()
    table.keyboard.type("gw2?j")
    expect(table.locator("#search")).to_have_value("gw2?j")
    expect(table.locator("#keys")).to_be_hidden()
    assert table.url.endswith("/preferences/")


def test_help_lists_the_keys_and_closes_again(table: Page) -> None:
    table.keyboard.press("?")
    expect(table.get_by_role("dialog", name="Keys")).to_contain_text("show these keys")
    table.keyboard.press("Escape")
    expect(table.locator("#keys")).to_be_hidden()


def test_keys_are_switched_off_on_the_preferences_page_for_good(table: Page) -> None:
    table.get_by_label("Single keys are shortcuts").uncheck()
    table.get_by_role("button", name="Save").click()
    expect(table.get_by_text("Kept for this browser.")).to_be_visible()
    table.keyboard.press("?")
    expect(table.locator("#keys")).to_be_hidden()
    table.goto("/")
    table.keyboard.press("g")
    table.keyboard.press("r")
    table.wait_for_timeout(300)
    assert not table.url.endswith("/runs/")


def test_every_page_can_be_walked_with_tab_and_shows_where_the_focus_is(table: Page) -> None:
    table.keyboard.press("Tab")
    expect(table.get_by_role("link", name="Skip to content")).to_be_focused()
    hidden = []
    for _ in range(30):
        table.keyboard.press("Tab")
        seen = table.evaluate(FOCUSED)
        hidden += [seen] * (not (seen[1] and seen[2]))
    assert hidden == []


def test_the_time_zone_of_the_browser_is_used_from_the_first_page_on(browser: Browser, site: str, runs: Seeded) -> None:
    context = browser.new_context(base_url=site, timezone_id="Asia/Kolkata")
    page = context.new_page()
    page.goto(f"/sign-in/{links.create(person('Operator'), actor='cli:test', now=timezone.now())}/")
    page.goto("/runs/")
    shown = page.locator("main time").first
    minutes = int(shown.inner_text()[-5:-3])
    assert minutes == (int((shown.get_attribute("title") or "")[-9:-7]) + 30) % 60
    page.goto("/preferences/")
    page.get_by_label("Time zone").select_option("America/New_York")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("America/New_York, where it is")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Time zone")).to_have_value("America/New_York")
    context.close()


def test_the_theme_is_chosen_on_the_preferences_page_too(sign_in: Open, handlers: None) -> None:
    page = sign_in()
    page.goto("/preferences/")
    page.get_by_label("Theme", exact=True).select_option("dark")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Switch theme").click()
    changed = page.locator("html").get_attribute("data-theme")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", str(changed))
