"""The start form in a browser, which ends lines, trims and drops in its own way."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.documents import publish
from tests.support.engine import start_workflow, work_until_idle
from workflows import payloads
from workflows.models import Run

Open = Callable[..., Page]
EXACT = """
input:
  schema:
    document:
      type: object
      properties:
        ids: {type: array, items: {type: integer}}
        note: {type: string}
        line: {type: string}
        opt: {type: string}
        n: {type: [integer, 'null']}
        mail: {type: string, format: email}
        at: {type: string, format: time}
        day: {type: string, format: date}
        on: {type: boolean, default: true}
do:
  - a: {set: {b: 1}}
"""
INPUT = {
    "ids": list(range(250)),
    "note": "\na\r\nb",
    "line": "a\rb",
    "opt": "",
    "n": None,
    "mail": "a@example.com",
    "at": "10:20:30Z",
    "day": "2026-11-21",
}


@pytest.mark.usefixtures("database")
def test_an_untouched_form_starts_once_with_the_input_that_the_former_run_had(sign_in: Open) -> None:
    publish("exact", EXACT)
    former = start_workflow("exact", INPUT)
    work_until_idle(5)
    page = sign_in("Admin")
    page.goto(f"/workflows/exact/start/?from={former}")
    page.get_by_role("button", name="JSON").click()
    page.get_by_role("button", name="Form", exact=True).click()
    page.get_by_label("Reason").fill("the disk was full")
    page.get_by_role("button", name="Run again", exact=True).dblclick()
    expect(page).not_to_have_url(f"/workflows/exact/start/?from={former}")
    run = Run.objects.get(rerun_of=former)
    assert payloads.resolve(run.input, payloads.load(run.pk, [run.input])) == INPUT
