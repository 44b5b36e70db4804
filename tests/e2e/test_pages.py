"""The pages in a browser: the ways through them, the content security policy, accessibility, small screens."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.support.addresses import furnish
from tests.support.axe import violations
from tests.support.engine import start_workflow, work_until_idle
from tests.support.pages import Seeded
from workflows.grouping import chores
from workflows.models import WorkflowVersion

Open = Callable[..., Page]
SCREENS = Path(settings.BASE_DIR) / "var" / "screens"
PARTS = 4  # which share the pages, for tests that run at once
WIDE, NARROW = 1440, 390
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"
# Pages that refuse an address say so with a status, which Chromium reports.
EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


def listen(page: Page) -> list[str]:
    """Collect what the console and the page's errors say, without Chromium's advice on password managers."""
    said: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if not message.text.startswith("[DOM]"):
            said.append(f"{page.url}: {message.text}")

    page.on("console", heard)
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    return said


@pytest.fixture
def screens() -> Path:
    """Return the folder that holds a picture of every page with something wrong."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    return SCREENS


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_is_accessible_fits_its_screen_and_obeys_the_policy(
    sign_in: Open, runs: Seeded, tmp_path: Path, screens: Path, part: int
) -> None:
    page = sign_in("Admin")
    said = listen(page)
    found: list[object] = []
    named = sorted(furnish(runs, tmp_path).items())[part::PARTS]
    for name, addresses in named:
        for number, address in enumerate(addresses):
            page.set_viewport_size({"width": WIDE, "height": 900})
            page.emulate_media(color_scheme="light")
            page.goto(address)
            found += [words for words in said if not EXPECTED.search(words)]
            found += [(address, *each) for each in _looked_at(page, screens / f"{name}{number or ''}")]
            said.clear()  # axe adds styles of its own, which the policy refuses
    assert not found, "\n".join(map(str, found))


def _looked_at(page: Page, picture: Path) -> Iterator[tuple[object, ...]]:
    """Yield what is wrong with a page, in both themes and widths: of the theme only the contrast depends."""
    for width in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": 900})
        yield from [("px too wide", width)] * page.evaluate(TOO_WIDE)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            rules = {} if theme == "light" else {"runOnly": ["color-contrast"]}
            for each in violations(page, **rules):
                page.screenshot(path=f"{picture}-{theme}-{width}.png", full_page=True)
                yield width, theme, each["id"], [node["html"] for node in each["nodes"]]


def test_pages_before_signing_in_are_accessible_and_obey_the_policy(browser: object, site: str, sign_in: Open) -> None:
    page = sign_in()
    page.context.clear_cookies()
    said = listen(page)
    page.goto("/sign-in/")
    assert said == []
    assert violations(page) == []


def test_a_dead_letter_is_found_and_retried_from_the_first_page(sign_in: Open, runs: Seeded) -> None:
    chores.group()
    page = sign_in()
    said = listen(page)
    page.goto("/")
    page.get_by_role("link", name="declined: the other side said no", exact=True).click()
    page.get_by_role("link", name="order/88213").first.click()
    expect(page.get_by_role("heading", name="charge failed: the other side said no")).to_be_visible()
    page.get_by_role("link", name="Retry from charge").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("gateway is back")
    dialog.get_by_role("button", name="Retry", exact=True).click()
    expect(page.get_by_text("Retried; it is going on")).to_be_visible()
    work_until_idle()
    expect(page.locator("#head").get_by_text("Dead letter")).to_be_visible(timeout=8_000)
    page.locator('[data-tab="3"]').click()
    expect(page.get_by_text("gateway is back")).to_be_visible()
    assert said == []


def test_a_page_updates_itself_without_closing_what_the_reader_opened(sign_in: Open, runs: Seeded) -> None:
    page = sign_in()
    said = listen(page)
    page.goto(f"/runs/{runs.pending}/?view=io")
    page.locator(".json details").first.locator("summary").first.click()
    assert page.locator(".json details").first.get_attribute("open") is None
    page.goto(f"/runs/{runs.pending}/")
    expect(page.locator("#head .status.pill")).to_have_text("Pending")
    work_until_idle()
    expect(page.locator("#head .status.pill")).to_have_text("Succeeded", timeout=8_000)
    expect(page.locator("#live")).to_have_text("Finished")
    assert said == []


def test_steps_and_views_are_chosen_without_leaving_the_page_and_back_returns(sign_in: Open, runs: Seeded) -> None:
    page = sign_in()
    said = listen(page)
    page.goto(f"/runs/{runs.failed}/")
    page.evaluate("document.body.dataset.stayed = 'yes'")
    page.get_by_role("link", name="prepare").click()
    expect(page.locator("#h-step")).to_have_text("prepare")
    assert "step=" in page.url
    page.get_by_role("link", name="Input and output").click()
    expect(page.get_by_role("heading", name="Input", exact=True).first).to_be_visible()
    assert page.evaluate("document.body.dataset.stayed") == "yes"
    page.go_back()
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    assert said == []


def test_new_runs_are_offered_and_not_pushed_in(sign_in: Open, runs: Seeded) -> None:
    page = sign_in()
    page.goto("/runs/")
    before = page.locator("tbody tr").count()
    start_workflow("pause", {"n": 1})
    offer = page.get_by_role("link", name="1 new run")
    expect(offer).to_be_visible(timeout=12_000)
    assert page.locator("tbody tr").count() == before
    offer.click()
    expect(page.locator("tbody tr")).to_have_count(before + 1)


def test_filters_stand_in_the_address_and_survive_reload_and_back(sign_in: Open, runs: Seeded) -> None:
    page = sign_in()
    said = listen(page)
    page.goto("/runs/")
    page.get_by_text("Add filter").click()
    page.get_by_label("Kind").select_option("action")
    page.get_by_role("button", name="Show these runs").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    assert "kind=action" in page.url
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.go_back()
    expect(page.get_by_role("link", name="order/88213")).to_be_visible()
    assert said == []


def test_the_pages_work_without_script(sign_in: Open, runs: Seeded, browser: object, site: str) -> None:
    page = sign_in()
    bare = page.context.browser.new_context(  # type: ignore[union-attr]
        java_script_enabled=False, base_url=site, storage_state=page.context.storage_state()
    )
    reader = bare.new_page()
    reader.goto(f"/runs/{runs.failed}/")
    reader.get_by_role("link", name="Retry from charge").click()
    reader.get_by_label("Reason").fill("by hand")
    reader.get_by_role("button", name="Retry", exact=True).click()
    expect(reader.get_by_text("Retried; it is going on")).to_be_visible()
    reader.goto("/workflows/order/start/")
    reader.get_by_role("button", name="Add item to Lines").click()
    expect(reader.get_by_label("Sku")).to_be_visible()
    bare.close()


def test_the_theme_is_kept_and_is_the_admins_too(sign_in: Open, runs: Seeded) -> None:
    page = sign_in("Editor", staff=True)
    page.goto("/runs/")
    page.get_by_role("button", name="Switch theme").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.goto("/admin/")
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_keys_lead_around_and_can_be_switched_off(sign_in: Open, runs: Seeded) -> None:
    page = sign_in()
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runs/")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.locator(".who").click()
    page.get_by_role("button", name="Single-key shortcuts").click()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(page.locator("#search")).not_to_be_focused()


def test_the_navigation_opens_on_a_small_screen(sign_in: Open, runs: Seeded) -> None:
    page = sign_in(width=390)
    page.goto("/")
    expect(page.locator("#side")).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    page.locator("#side").get_by_role("link", name="Datastore").click()
    page.wait_for_url("**/datastore/")


def test_planted_markup_never_runs(sign_in: Open, runs: Seeded) -> None:
    run_id = start_workflow(
        "pause", {"h": "<img src=x onerror=\"document.title='owned'\"><div hx-get=/x hx-trigger=load>"}
    )
    page = sign_in()
    said = listen(page)
    for view in ("timeline", "io"):
        page.goto(f"/runs/{run_id}/?view={view}")
    assert page.locator("main img").count() == 0
    assert "owned" not in page.title()
    assert said == []


def test_the_admin_obeys_the_policy_too(sign_in: Open, runs: Seeded) -> None:
    page = sign_in("Admin", staff=True)
    said = listen(page)
    version = WorkflowVersion.objects.get(workflow__name="order")
    names = ["workflows_workflowversion_changelist", "workflows_workflowversion_add", "workflows_run_changelist",
             "actions_connection_add", "access_apikey_add", "auth_user_changelist", "index"]  # fmt: skip
    change = reverse("admin:workflows_workflowversion_change", args=[version.pk])
    for address in (*(reverse(f"admin:{name}") for name in names), change, "/api/docs/"):
        page.goto(address)
        assert said == [], address


def test_the_admin_has_room_for_a_document_on_a_small_screen(sign_in: Open, runs: Seeded) -> None:
    page = sign_in("Admin", staff=True, width=390)
    page.goto(reverse("admin:workflows_workflowversion_add"))
    box = page.get_by_label("Source").bounding_box()
    assert box is not None
    assert box["height"] > 400
    assert box["x"] + box["width"] < 380


def test_a_small_screen_hides_no_command_and_no_part_of_a_table(sign_in: Open, runs: Seeded) -> None:
    page = sign_in(width=390)
    for address in ("/", "/runs/", f"/runs/{runs.failed}/", "/datastore/", "/workflows/", "/actions/test-refuses/"):
        page.goto(address)
        wide = "[...document.querySelectorAll('.scroll-x')].filter((e) => e.scrollWidth > e.clientWidth).length"
        assert page.evaluate(wide) == 0, address
    chores.group()
    page.goto("/")
    retry = page.get_by_role("link", name="Retry 1")
    retry.scroll_into_view_if_needed()
    box = retry.bounding_box()
    assert box is not None
    assert 0 <= box["x"] <= 390 - box["width"]
    expect(page.locator("#live")).to_be_visible()
    page.goto("/runs/")
    assert page.evaluate("Math.max(...[...document.querySelectorAll('tbody tr')].map((e) => e.offsetHeight))") < 180


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_api_documentation_has_a_way_back_and_follows_the_theme(sign_in: Open, runs: Seeded, theme: str) -> None:
    page = sign_in(theme=theme)
    said = listen(page)
    page.goto("/api/docs/")
    page.locator(".swagger-ui .opblock").first.wait_for()
    assert page.evaluate("document.documentElement.classList.contains('dark-mode')") == (theme == "dark")
    page.get_by_role("link", name="Back to the pages").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert said == []
