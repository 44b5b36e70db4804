"""The start form: prefilled from a run, with what changes against it; a run again keeps what is hidden and says why."""

import re
from collections.abc import Callable
from html import unescape
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from audit.models import AuditEvent
from tests.support.documents import publish
from tests.support.engine import start_workflow, work_until_idle
from tests.support.pages import Seeded, person
from workflows import payloads
from workflows.models import Run

Reader = Callable[..., Client]
HIDDEN = """
input:
  schema:
    document:
      type: object
      required: [amount, password]
      properties:
        amount: {type: number, minimum: 0}
        password: {type: string, minLength: 6}
        note: {type: string}
        tags: {type: array, items: {type: string}}
do:
  - a: {call: test-echo, with: {value: 1}}
"""
EXACT = """
input:
  schema:
    document:
      type: object
      properties:
        ids: {type: array, items: {type: integer}}
        note: {type: string}
        opt: {type: string}
        n: {type: [integer, 'null']}
        rows: {type: array, items: {type: object, properties: {a: {type: string}}}}
do:
  - a: {call: test-echo, with: {value: 1}}
"""
INPUT = {"amount": 5, "password": "hunter2", "note": "n", "tags": ["x"]}


@pytest.fixture
def former(handlers: None) -> UUID:
    """Make a run that has ended."""
    publish("hides", HIDDEN)
    run = start_workflow("hides", INPUT, title="order/1", tags=["region=eu"])
    work_until_idle(5)
    return run


def fields(text: str) -> dict[str, str]:
    """Return what a browser would post for the form of a page."""
    form = re.search(r'<form class="cols split".*?</form>', text, re.DOTALL)
    assert form
    found = {}
    for control in re.findall(r"<input [^>]*>", form[0]):
        name, value = re.search(r'name="([^"]*)"', control), re.search(r'value="([^"]*)"', control)
        if name and "csrf" not in name[1] and 'type="checkbox"' not in control:
            found[name[1]] = value[1] if value else ""
    return found


def sent(text: str) -> dict[str, str]:
    """Return what a browser would post for the form of a page, with long texts and as browsers end lines."""
    found = fields(text)
    for name, value in re.findall(r'<textarea[^>]* name="([^"]*)"[^>]*>(.*?)</textarea>', text, re.DOTALL):
        found[name] = value.replace("\r\n", "\n").replace("\n", "\r\n")
    return {name: unescape(value) for name, value in found.items()}


def stored_input(run: UUID) -> object:
    found = Run.objects.get(pk=run)
    return payloads.resolve(found.input, payloads.load(run, [found.input]))


def started(response: object) -> UUID:
    """Return the run that an answer leads to."""
    assert response.status_code == 303, response.content.decode()  # type: ignore[attr-defined]  # a response
    return UUID(response.headers["Location"].split("/")[2])  # type: ignore[attr-defined]  # a response


def test_a_run_again_keeps_what_is_hidden_without_showing_it(reader: Reader, former: UUID) -> None:
    client = reader()
    text = client.get(f"/workflows/hides/start/?from={former}").content.decode()
    assert "hunter2" not in text
    assert "Changes against order/1" in text
    posted = fields(text) | {"/amount": "7", "reason": "the card works again", "do": "start"}
    again = started(client.post("/workflows/hides/start/", posted))
    run = Run.objects.get(pk=again)
    assert (run.rerun_of, run.title, run.tags, run.trigger) == (former, "order/1", ["region=eu"], "again")
    assert stored_input(again) == INPUT | {"amount": 7}
    assert AuditEvent.objects.filter(run=former, kind="run.run_again", reason="the card works again").exists()


def test_a_secret_that_is_typed_anew_replaces_the_hidden_one(reader: Reader, former: UUID) -> None:
    client = reader()
    posted = fields(client.get(f"/workflows/hides/start/?from={former}").content.decode())
    posted |= {"/password": "hunter3", "reason": "new card", "do": "check"}
    text = client.post("/workflows/hides/start/", posted).content.decode()
    assert "The input is valid" in text
    assert "typed anew, not shown" in text
    again = started(client.post("/workflows/hides/start/", posted | {"do": "start"}))
    assert stored_input(again) == INPUT | {"password": "hunter3"}


def test_what_changes_is_listed_before_anything_starts(reader: Reader, former: UUID) -> None:
    client = reader()
    posted = fields(client.get(f"/workflows/hides/start/?from={former}").content.decode())
    posted |= {"/amount": "-4", "/note": "", "do": "check"}
    response = client.post("/workflows/hides/start/", posted)
    text = response.content.decode()
    assert response.status_code == 422
    assert re.search(r'<li class="del">.*<span>amount</span><span>5</span></li>', text)
    assert re.search(r'<li class="add">.*<span>amount</span><span>-4</span></li>', text)
    assert re.search(r'<li class="del">.*<span>note</span>', text)
    assert "password</span>" not in text
    assert Run.objects.count() == 1


def test_a_double_click_runs_it_again_once_and_other_input_needs_another_click(reader: Reader, former: UUID) -> None:
    client = reader()
    posted = fields(client.get(f"/workflows/hides/start/?from={former}").content.decode())
    posted |= {"reason": "r", "do": "start"}
    first, second = (started(client.post("/workflows/hides/start/", posted)) for _ in range(2))
    assert first == second
    assert Run.objects.count() == 2
    other = client.post("/workflows/hides/start/", posted | {"/amount": "8"})
    assert other.status_code == 422
    assert str(first) in other.content.decode()
    third = fields(other.content.decode()) | {"reason": "r", "do": "start"}
    assert started(client.post("/workflows/hides/start/", third)) != first
    assert Run.objects.count() == 3


def test_an_untouched_form_runs_it_again_with_the_same_input(reader: Reader, handlers: None) -> None:
    publish("exact", EXACT)
    value = {"ids": list(range(250)), "note": "a\r\nb", "opt": "", "n": None, "rows": [{"a": ""}]}
    run = start_workflow("exact", value)
    work_until_idle(5)
    client = reader()
    posted = sent(client.get(f"/workflows/exact/start/?from={run}").content.decode())
    posted = sent(client.post("/workflows/exact/start/", posted | {"do": "check"}).content.decode())
    again = started(client.post("/workflows/exact/start/", posted | {"reason": "r", "do": "start"}))
    assert stored_input(again) == value
    assert '"edited":false' in AuditEvent.objects.get(kind="run.run_again").data


def test_a_run_again_needs_a_reason(reader: Reader, former: UUID) -> None:
    client = reader()
    posted = fields(client.get(f"/workflows/hides/start/?from={former}").content.decode())
    response = client.post("/workflows/hides/start/", posted | {"do": "start", "reason": " "})
    assert response.status_code == 422
    assert "Say why" in response.content.decode()
    assert Run.objects.count() == 1


def test_the_json_tab_carries_stand_ins_and_takes_them_back(reader: Reader, former: UUID) -> None:
    client = reader()
    posted = fields(client.get(f"/workflows/hides/start/?from={former}").content.decode())
    text = client.post("/workflows/hides/start/", posted | {"do": "tab:json"}).content.decode()
    assert "•••" in text
    body = {
        "from": str(former),
        "tab": "json",
        "json": '{"amount": 5, "password": "•••"}',
        "reason": "r",
        "do": "start",
    }
    again = started(client.post("/workflows/hides/start/", body))
    assert stored_input(again) == {"amount": 5, "password": "hunter2"}
    moved = body | {"json": '{"amount": 5, "password": "hunter2", "note": "•••"}'}
    assert client.post("/workflows/hides/start/", moved).status_code == 422


def test_a_stand_in_is_never_a_value_of_a_new_run(reader: Reader, former: UUID) -> None:
    body = {"tab": "form", "/amount": "5", "kept:/password": "1", "/password": "", "do": "start"}
    response = reader().post("/workflows/hides/start/", body)
    assert response.status_code == 422
    assert Run.objects.count() == 1


def test_a_run_that_is_not_over_only_lends_its_input(reader: Reader, runs: Seeded) -> None:
    client = reader()
    text = client.get(f"/workflows/pause/start/?from={runs.waiting}").content.decode()
    assert "Run pause again" not in text
    again = started(client.post("/workflows/pause/start/", fields(text) | {"json": "{}", "do": "start"}))
    assert Run.objects.get(pk=again).rerun_of is None


def test_a_run_of_something_else_is_no_beginning(reader: Reader, runs: Seeded) -> None:
    client = reader()
    for given in (str(runs.failed), "nonsense", str(UUID(int=0))):
        text = client.get(f"/workflows/pause/start/?from={given}").content.decode()
        assert "Prefilled" not in text
        assert "Changes against" not in text


def test_the_input_of_a_run_needs_the_permission_to_see_runs(reader: Reader, former: UUID) -> None:
    client = reader(None)
    person(None).user_permissions.add(Permission.objects.get(codename="start_run"))
    text = client.get(f"/workflows/hides/start/?from={former}").content.decode()
    assert "Start a run of hides" in text
    assert "Prefilled" not in text


def test_the_version_that_the_former_run_had_can_be_compared(reader: Reader, former: UUID) -> None:
    publish("hides", HIDDEN.replace("value: 1", "value: 2"), "1.1.0")
    text = reader().get(f"/workflows/hides/start/?from={former}").content.decode()
    assert "/workflows/hides/diff/1.0.0..1.1.0/" in text
