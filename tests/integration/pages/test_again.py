"""Run again, and show what is hidden: what was asked for happens once, and is on record."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.test import Client

from audit.models import AuditEvent
from tests.support.documents import publish
from tests.support.engine import begin, finished, shown, start_action, start_workflow
from workflows import operations
from workflows.models import Run, WorkflowVersion
from workflows.views import run_reveal

Reader = Callable[..., Client]
pytestmark = pytest.mark.usefixtures("handlers")
NEW = """
document: {dsl: 1.0.3, namespace: tests, name: story, version: 2.0.0}
input: {schema: {document: {type: object, required: [id], properties: {id: {type: integer}}}}}
do: [{a: {call: test-echo, with: {value: "${ .id }"}}}]
"""


def newer() -> None:
    draft = operations.draft_workflow(NEW, actor="user:test")
    operations.publish_workflow(draft.id, actor="user:test")


def test_a_run_is_repeated_on_the_current_version_with_what_it_had(reader: Reader) -> None:
    body = "do: [{a: {call: test-echo, with: {value: 1}}}]"
    first = finished(start_workflow(publish("story", body), {"id": 7, "token": "s"}, title="An order", tags=["a=b"]))
    newer()
    client, path = reader(), f"/runs/{first.id}/again/"
    page = client.get(path).content.decode()
    assert "1.0.0" in page
    assert "2.0.0" in page
    posted = {"token": str(uuid4()), "reason": "the fix is out"}
    answer = client.post(path, posted)
    again = Run.objects.get(rerun_of=first.id)
    assert answer["Location"] == f"/runs/{again.id}/"
    assert (again.input, again.title, again.tags) == ({"id": 7, "token": "s"}, "An order", ["a=b"])
    assert finished(again.id).version == "2.0.0"
    assert client.post(path, posted)["Location"] == answer["Location"], "sent twice"
    assert Run.objects.filter(rerun_of=first.id).count() == 1
    events = AuditEvent.objects.filter(kind__in=["run.run_again", "run.repeats"], reason="the fix is out")
    assert {event.run for event in events} == {first.id, again.id}
    assert events.count() == 2


def test_an_input_that_does_not_fit_any_more_leads_to_the_form(reader: Reader) -> None:
    first = finished(begin("do: [{a: {call: test-echo, with: {value: 1}}}]", {"id": "x"}))
    newer()
    answer = reader().post(f"/runs/{first.id}/again/", {"token": "nonsense", "reason": "again"})
    assert answer.status_code == 422
    assert f"/workflows/story/start/?from={first.id}" in answer.content.decode()
    assert Run.objects.count() == 1


def test_a_definition_that_is_not_published_and_a_run_that_goes_on_are_refused(reader: Reader) -> None:
    first = finished(begin("do: [{a: {call: test-echo}}]"))
    waiting = finished(start_workflow(publish("waits", "do: [{nap: {wait: PT1H}}]"), {}))
    WorkflowVersion.objects.filter(workflow__name="story").update(state="deprecated")
    client = reader()
    assert "No version of story is published" in client.get(f"/runs/{first.id}/again/").content.decode()
    assert client.post(f"/runs/{first.id}/again/", {"reason": "x"}).status_code == 422
    assert "not over" in client.get(f"/runs/{waiting.id}/again/").content.decode()
    assert client.post(f"/runs/{waiting.id}/again/", {"reason": "x"}).status_code == 422
    assert Run.objects.count() == 2


def hidden() -> UUID:
    return finished(start_action("test-speaks", {"password": "hunter2"})).id


def test_hidden_values_are_only_in_the_answer_to_the_form_and_it_is_on_record(reader: Reader) -> None:
    run_id = hidden()
    client, path = reader("Admin"), f"/runs/{run_id}/reveal/"
    assert "hunter2" not in client.get(path).content.decode()
    assert "hunter2" not in client.post(path, {"reason": " "}).content.decode()
    assert not AuditEvent.objects.filter(kind="run.revealed").exists()
    answer = client.post(path, {"reason": "a complaint"})
    assert "hunter2" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    event = AuditEvent.objects.get(kind="run.revealed")
    assert (event.run, event.reason, event.actor) == (run_id, "a complaint", "user:admin")
    assert "hunter2" not in event.data
    assert "hunter2" not in client.get(path).content.decode()


def test_of_a_long_run_what_failed_and_what_is_new_is_shown_and_nothing_else_is_read(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught = "{a: {try: [{bad: {call: test-refuses}}], catch: {}}}"
    run = finished(begin(f"do: [{caught}, {{b: {{call: test-echo}}}}, {{c: {{call: test-echo}}}}]"))
    monkeypatch.setattr(run_reveal, "STEPS", 2)
    page = reader("Admin").post(f"/runs/{run.id}/reveal/", {"reason": "x"}).content.decode()
    assert [step.key for step in run.steps if step.key in page] == ["/do/0/a@1/try/0/bad", "/do/2/c"]
    assert f"{run.steps_total - 2} more step" in page


@pytest.mark.parametrize("page", ["again", "reveal", "retry", "steps/{step}/edit"])
def test_a_page_that_asks_for_a_reason_does_not_read_the_data_of_all_steps(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    run = finished(begin("do: [{a: {call: test-refuses}}]"))
    monkeypatch.setattr("workflows.queries.detail.step_views", None)
    assert reader("Admin").get(f"/runs/{run.id}/{page.format(step=run.steps[0].id)}/").status_code == 200


def test_nothing_is_shown_when_it_cannot_be_recorded(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise operations.NotAllowed("the trail is full")

    monkeypatch.setattr(operations, "reveal", refuse)
    client = reader("Admin")
    client.raise_request_exception = False
    answer = client.post(f"/runs/{hidden()}/reveal/", {"reason": "x"})
    assert "hunter2" not in answer.content.decode()


def test_an_operator_may_not_look(reader: Reader) -> None:
    assert reader("Operator").post(f"/runs/{hidden()}/reveal/", {"reason": "x"}).status_code == 403
    assert shown(hidden()).input == {"password": "•••"}
