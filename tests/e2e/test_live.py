"""A page that updates itself leaves the reader alone: focus, typing, selections, open parts; and knows when to rest."""

import re
import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.test_pages import listen

Open = Callable[..., Page]
pytestmark = pytest.mark.usefixtures("handlers")
POLL = """
<div id="poll" hidden {oob} data-poll hx-get="/preferences/live/" hx-trigger="every 0.2s, now" hx-swap="none"></div>
"""
PART = """
<section id="part" {oob}>
  <p id="words">All is <b>well</b> in part {number}</p>
  <details><summary>First</summary><p>inside</p></details>
  <details open><summary>Second</summary><details><summary>Deep</summary><p>inside</p></details></details>
  <a href="/runs/a/">a run</a> <a href="/runs/b/">another run</a>
  <p><input type="checkbox" name="run" value="a"><input type="checkbox" name="run" value="b"></p>
  <form><input name="reason" value=""><select name="how"><option>one</option><option>two</option></select></form>
  <div class="json" tabindex="0">{lines}</div>
  <button type="button" popovertarget="more">More</button><div id="more" popover>Menu</div>
</section>
"""


def part(number: int, oob: str = "") -> str:
    return PART.format(number=number, oob=oob, lines="<p>line</p>" * 60)


@pytest.fixture
def page(sign_in: Open) -> Page:
    """A page with a part and a poller, whose answers the test gives."""
    opened = sign_in()
    opened.goto("/preferences/")
    return opened


class Answers:
    """What the poller gets: the part again, with another number, as soon as the test says so."""

    def __init__(self, page: Page) -> None:
        self.page, self.ready, self.count = page, threading.Event(), 0
        page.route("**/preferences/live/", self._answer)
        page.evaluate(
            "([part, poll]) => { const main = document.getElementById('main');"
            " main.insertAdjacentHTML('afterbegin', part + poll); htmx.process(main); }",
            [part(0), POLL.format(oob="")],
        )

    def _answer(self, route: Route) -> None:
        self.count += 1
        if not self.ready.is_set():
            route.fulfill(status=204)
            return
        self.ready.clear()
        oob = 'hx-swap-oob="true"'
        route.fulfill(status=200, content_type="text/html", body=part(1, oob) + POLL.format(oob=oob))

    def swap(self) -> None:
        """Let the next answer replace the part, and wait until it has settled."""
        self.ready.set()
        expect(self.page.locator("#words")).to_have_text("All is well in part 1")
        self.page.wait_for_timeout(150)


@pytest.fixture
def answers(page: Page) -> Iterator[Answers]:
    """Answer the poller."""
    yield Answers(page)
    page.unroute_all(behavior="ignoreErrors")


def test_the_focus_stays_on_the_same_link(page: Page, answers: Answers) -> None:
    page.locator('#part a[href="/runs/b/"]').focus()
    answers.swap()
    expect(page.locator('#part a[href="/runs/b/"]')).to_be_focused()


def test_what_is_typed_stays_with_the_cursor_in_it(page: Page, answers: Answers) -> None:
    field = page.locator('#part input[name="reason"]')
    field.type("half a sent")
    field.press("ArrowLeft")
    answers.swap()
    page.keyboard.type("X")
    expect(field).to_have_value("half a senXt")
    expect(field).to_be_focused()


def test_ticked_boxes_and_choices_stay(page: Page, answers: Answers) -> None:
    page.locator('#part input[value="b"]').check()
    page.locator("#part select").select_option("two")
    answers.swap()
    expect(page.locator('#part input[value="b"]')).to_be_checked()
    expect(page.locator('#part input[value="a"]')).not_to_be_checked()
    expect(page.locator("#part select")).to_have_value("two")


def test_open_parts_stay_open_and_closed_ones_closed(page: Page, answers: Answers) -> None:
    page.get_by_text("Deep", exact=True).click()
    page.get_by_text("First", exact=True).click()
    answers.swap()
    assert page.locator("#part details").evaluate_all("all => all.map((each) => each.open)") == [True, True, True]


def test_closing_what_was_open_is_remembered_too(page: Page, answers: Answers) -> None:
    page.get_by_text("Second", exact=True).click()
    answers.swap()
    assert page.locator("#part details").nth(1).get_attribute("open") is None


def test_a_menu_stays_open(page: Page, answers: Answers) -> None:
    page.get_by_role("button", name="More").click()
    answers.swap()
    expect(page.locator("#more")).to_be_visible()


def test_selected_text_stays_selected(page: Page, answers: Answers) -> None:
    page.evaluate("document.getSelection().selectAllChildren(document.querySelector('#words b'))")
    answers.swap()
    assert page.evaluate("String(document.getSelection())") == "well"


def test_text_that_has_changed_is_not_selected_by_guessing(page: Page, answers: Answers) -> None:
    page.evaluate("document.getSelection().selectAllChildren(document.querySelector('#words'))")
    answers.swap()
    assert page.evaluate("String(document.getSelection())") == ""


def test_scrolling_stays_in_the_part_and_on_the_page(page: Page, answers: Answers) -> None:
    page.evaluate("document.querySelector('#part .json').scrollTop = 200; window.scrollTo(0, 120)")
    before = page.evaluate("[document.querySelector('#part .json').scrollTop, window.scrollY]")
    answers.swap()
    assert page.evaluate("[document.querySelector('#part .json').scrollTop, window.scrollY]") == before


def test_a_hidden_tab_asks_nothing_and_asks_at_once_when_it_is_seen_again(page: Page, answers: Answers) -> None:
    show = (
        "(state) => { Object.defineProperty(document, 'hidden', {value: state, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    page.evaluate(show, True)
    page.wait_for_timeout(300)
    before = answers.count
    page.wait_for_timeout(900)
    assert answers.count == before
    page.evaluate(show, False)
    page.wait_for_timeout(600)
    assert answers.count > before


def test_an_open_dialog_is_not_disturbed(page: Page, answers: Answers) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.wait_for_timeout(300)
    before = answers.count
    page.wait_for_timeout(600)
    assert answers.count == before


def test_updates_are_paused_and_go_on(sign_in: Open) -> None:
    page = sign_in()
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append("x")
        route.fulfill(status=204)

    page.route("**/live/**", answer)
    page.goto("/")
    page.get_by_role("button", name="Pause live updates").click()
    expect(page.locator("#live")).to_have_text("Paused")
    before = len(asked)
    page.wait_for_timeout(5_600)
    assert len(asked) == before
    page.keyboard.press("p")
    expect(page.locator("#live")).to_contain_text("Live")
    page.wait_for_timeout(400)
    assert len(asked) == before + 1


def test_a_dead_server_is_asked_less_and_less_and_the_reader_told_how_old_the_page_is(sign_in: Open) -> None:
    page = sign_in()
    asked: list[str] = []
    dead = True

    def answer(route: Route) -> None:
        asked.append("x")
        if dead:
            route.abort()
        else:
            route.fulfill(status=204)

    page.route("**/live/**", answer)
    page.goto("/")
    expect(page.locator("#stale")).to_be_visible(timeout=8_000)
    expect(page.locator("#stale-at")).to_have_text(re.compile(r"is \d+ s old"))
    first = page.locator("#stale-at").inner_text()
    expect(page.locator("#stale-next")).to_contain_text("trying again in")
    page.wait_for_timeout(2_500)
    assert page.locator("#stale-at").inner_text() != first
    assert len(asked) == 1
    page.get_by_role("button", name="Try now").click()
    page.wait_for_timeout(300)
    assert len(asked) == 2
    dead = False
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#stale")).to_be_hidden()
    expect(page.locator("#live")).to_contain_text("Live")


def test_a_reader_who_is_signed_out_meanwhile_is_led_to_the_sign_in_page(sign_in: Open) -> None:
    page = sign_in()
    page.goto("/")
    page.context.clear_cookies(name="sessionid")
    page.wait_for_url("**/sign-in/?next=/", timeout=12_000)


def test_two_tabs_ask_each_for_itself(sign_in: Open) -> None:
    first = sign_in()
    second = first.context.new_page()
    said = [*listen(first), *listen(second)]
    for page in (first, second):
        page.goto("/")
    first.get_by_role("button", name="Pause live updates").click()
    expect(first.locator("#live")).to_have_text("Paused")
    expect(second.locator("#live")).to_contain_text("Live")
    assert said == []
