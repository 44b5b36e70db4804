"""The page that retries a failed call with another input: from a form or from JSON, compared before it is done."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from audit.models import AuditEvent
from tests.support.engine import begin, finished, shown, work_until_idle
from workflows import operations
from workflows.operations import waiting
from workflows.queries import RunDetail

Reader = Callable[..., Client]
pytestmark = pytest.mark.usefixtures("handlers")
CALL = "do: [{a: {call: test-secretive, with: {token: hunter2, fail: true}}}]"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> RunDetail:
    """Let a call fail; whoever waits for a run works meanwhile."""
    monkeypatch.setattr(operations, "wait_for", lambda *_: work_until_idle())
    assert waiting.wait_for is not operations.wait_for
    return finished(begin(CALL))


def path(run: RunDetail) -> str:
    return f"/runs/{run.id}/steps/{run.steps[0].id}/edit/"


def test_the_form_has_what_the_step_had_and_never_what_is_hidden(reader: Reader, run: RunDetail) -> None:
    page = reader().get(path(run)).content.decode()
    assert 'name="/fail" value="true" checked' in page
    assert 'name="kept:/token"' in page
    assert "hunter2" not in page
    assert "Nobody knows" not in page, "the refusal was definite"


def test_a_check_shows_what_changes_and_does_nothing(reader: Reader, run: RunDetail) -> None:
    posted = {"tab": "form", "/token": "", "kept:/token": "1", "do": "check"}
    page = reader().post(path(run), posted).content.decode()
    assert "The input fits" in page
    assert "&quot;fail&quot;: false" in page
    assert shown(run.id).state == "failed"


def test_an_untouched_hidden_field_keeps_its_value_and_the_page_tells_the_result(
    reader: Reader, run: RunDetail
) -> None:
    client = reader("Admin")
    posted = {"tab": "form", "/token": "", "kept:/token": "1", "do": "retry", "reason": "it said no"}
    answer = client.post(path(run), posted)
    assert answer["Location"] == f"/runs/{run.id}/?step={run.steps[0].id}"
    assert shown(run.id).output == {"length": len("hunter2")}
    assert "and it succeeded" in client.get(f"/runs/{run.id}/").content.decode()


def test_json_that_was_left_as_it_is_shown_keeps_what_is_hidden(reader: Reader, run: RunDetail) -> None:
    client = reader("Admin")
    page = client.post(path(run), {"tab": "form", "kept:/token": "1", "/fail": "true", "do": "tab:json"})
    assert "•••" in page.content.decode()
    posted = {"tab": "json", "json": '{"token": "•••", "fail": false}', "do": "retry", "reason": "again"}
    assert client.post(path(run), posted).status_code == 303
    assert shown(run.id).output == {"length": 7}


def test_all_problems_are_shown_at_once_and_nothing_is_done(reader: Reader, run: RunDetail) -> None:
    posted = {"tab": "json", "json": '{"token": 1, "fail": "•••", "x": 1}', "do": "retry", "reason": "again"}
    answer = reader().post(path(run), posted)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "/fail" in page
    for wrong in ("{", "[", "null", '"\\ud800"', "1" * 10, ""):
        assert reader().post(path(run), {**posted, "json": wrong}).status_code == 422
    assert reader().post(path(run), {"tab": "form", "do": "retry", "/token": "x"}).status_code == 422, "no reason"
    assert shown(run.id).state == "failed"


def test_an_untouched_form_is_the_input_that_the_step_had(reader: Reader) -> None:
    run = finished(begin('do: [{a: {call: test-ledger, with: {name: "a\\r\\nb", die: fail, release: ""}}}]'))
    client = reader()
    page = client.get(path(run)).content.decode()
    kept = {name: unescape(value) for name, value in re.findall(r'name="(was:[^"]*)" value="([^"]*)"', page)}
    assert kept == {"was:/name": '"a\\r\\nb"', "was:/release": '""'}
    posted = {"tab": "form", "/name": "a\r\nb", "/die": "fail", "/release": "", "do": "check", **kept}
    assert "It is the input that the step had" in client.post(path(run), posted).content.decode()
    assert "What changes" in client.post(path(run), {**posted, "/name": "a\r\nc"}).content.decode()


def test_an_unknown_outcome_has_to_be_looked_at_first(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "wait_for", lambda *_: work_until_idle())
    run = finished(begin(f"do: [{{a: {{call: test-outside, with: {{file: {tmp_path}}}}}}}]"))
    client = reader()
    assert "Nobody knows" in client.get(path(run)).content.decode()
    posted = {"tab": "form", "/file": str(tmp_path / "x"), "do": "retry", "reason": "the folder"}
    assert client.post(path(run), posted).status_code == 422
    assert client.post(path(run), {**posted, "confirm": "yes"}).status_code == 303
    assert shown(run.id).state == "succeeded"


def test_a_step_that_cannot_be_edited_says_why(reader: Reader) -> None:
    done = finished(begin("do: [{a: {call: test-echo}}]"))
    assert "Only a failed run can be retried" in reader().get(path(done)).content.decode()


def test_a_check_does_not_tell_whether_a_guess_of_a_hidden_value_is_right(reader: Reader, run: RunDetail) -> None:
    client = reader()

    def told(guess: str) -> str:
        posted = {"tab": "form", "/token": guess, "/fail": "true", "do": "check"}
        page = client.post(path(run), posted).content.decode()
        return page[page.index("The input fits") : page.index("novalidate")]

    assert "(changed)" in told("wrong")
    assert told("wrong") == told("hunter2")


@pytest.mark.parametrize(("gone", "status"), [(operations.NotAllowed("It goes on."), 200), (None, 404)])
def test_a_step_that_another_person_goes_on_with_meanwhile_is_no_error_of_the_server(
    reader: Reader, run: RunDetail, monkeypatch: pytest.MonkeyPatch, gone: Exception | None, status: int
) -> None:
    check = operations.check_edit

    def meanwhile(run_id: UUID, key: str, *given: Any) -> operations.Checked:
        if given:
            raise gone or operations.UnknownRun(run_id)
        return check(run_id, key)

    monkeypatch.setattr(operations, "check_edit", meanwhile)
    for command in ("check", "retry"):
        posted = {"tab": "form", "kept:/token": "1", "do": command, "reason": "again"}
        answer = reader().post(path(run), posted)
        assert answer.status_code == status
        assert status == 404 or "It goes on." in answer.content.decode()


def test_a_hidden_value_cannot_be_sent_elsewhere_by_who_may_not_see_it(reader: Reader, run: RunDetail) -> None:
    client = reader()
    posted = {"tab": "form", "/token": "", "kept:/token": "1", "do": "retry", "reason": "it said no"}
    answer = client.post(path(run), posted)
    assert answer.status_code == 422
    assert "workflows.view_payload" in answer.content.decode()
    assert (shown(run.id).state, shown(run.id).steps[0].generation) == ("failed", 0)
    assert client.post(path(run), posted | {"/token": "typed anew"}).status_code == 303
    assert shown(run.id).output == {"length": len("typed anew")}


def test_who_may_not_see_hidden_values_may_retry_with_all_of_them_as_they_are(reader: Reader, run: RunDetail) -> None:
    posted = {"tab": "json", "json": '{"token": "•••", "fail": true}', "do": "retry", "reason": "again"}
    assert reader().post(path(run), posted).status_code == 303
    assert "edited" not in AuditEvent.objects.get(kind="run.retried").data
