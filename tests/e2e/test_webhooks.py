"""The page behind a link in a mail, in a browser of somebody who is not signed in."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.test_pages import listen
from tests.support.axe import violations
from tests.support.listening import listener
from workflows import hooks
from workflows.models import Event, Message

Open = Callable[..., Page]


def test_a_stranger_presses_the_button_and_the_run_has_the_answer_once(sign_in: Open) -> None:
    step = listener()
    page = sign_in(width=390)
    page.context.clear_cookies()
    said = listen(page)
    page.goto(f"{hooks.path(step.run_id)}/approve")
    assert said == []
    assert violations(page) == []
    assert not Event.objects.exists()
    page.get_by_role("button", name="Send “approve”").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    page.reload()
    assert violations(page) == []
    assert [message.run_id for message in Message.objects.all()] == [step.run_id]
    assert Event.objects.get().envelope["hook"] == "approve"


def test_a_link_that_belongs_to_nothing_says_so(sign_in: Open) -> None:
    page = sign_in()
    page.context.clear_cookies()
    page.goto("/hooks/made-up")
    expect(page.get_by_text("This address belongs to no run.")).to_be_visible()
    assert violations(page) == []
