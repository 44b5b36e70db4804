"""The commands over HTTP: a reason each, the run as the answer, 409 with a sentence, all problems at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from tests.integration.api.conftest import Caller
from tests.support import rows
from workflows.models import Message, Undo

pytestmark = pytest.mark.usefixtures("handlers")
WHY = {"reason": "because"}
FORM = {"type": "object", "required": ["limit"], "properties": {"limit": {"type": "number"}}}


def test_a_run_is_suspended_and_goes_on(api: Caller) -> None:
    run = rows.run("running")
    held = rows.step(run, "a")
    answer = api("POST", f"runs/{run.id}/suspension", WHY)
    assert (answer.status_code, answer.json()["state"]) == (200, "suspended")
    assert api("POST", f"runs/{run.id}/suspension", WHY).json()["detail"] == "This run is already suspended."
    assert api("POST", f"runs/{run.id}/resumption", WHY).json()["state"] == "running"
    assert rows.state(held) == "ready"


def test_a_run_says_what_can_be_done_with_it_and_who_started_it(api: Caller) -> None:
    parent = rows.run("waiting", "child", title="the parent")
    step = rows.step(parent, "sub", "waiting", "run")
    child = rows.run("failed", "dead_letter", parent_step=step.id)
    found = api("GET", f"runs/{child.id}").json()
    assert found["parent"] | {"title": ""} == {
        "id": str(parent.id), "name": "test-echo", "title": "", "status": "waiting_child", "step": "sub", "index": 0,
    }  # fmt: skip
    able = {name.removeprefix("can_") for name, value in found.items() if name.startswith("can_") and value}
    assert able == {"retry", "cancel", "resolve"}
    assert api("GET", f"runs/{parent.id}").json()["parent"] is None
    assert [run["id"] for run in api("GET", f"runs?parent={step.id}").json()["items"]] == [str(child.id)]
    assert api("GET", "runs?parent=x").json()["errors"][0]["message"].startswith("must be an id")


def test_a_failed_run_is_resolved_or_undone(api: Caller) -> None:
    run = rows.run("failed", "dead_letter")
    assert api("POST", f"runs/{run.id}/undo", WHY).status_code == 409
    assert api("POST", f"runs/{run.id}/resolution", WHY).json()["status"] == "resolved"
    other = rows.run("failed", "dead_letter")
    Undo.objects.create(run=other, place="/do/1/paid", key="/do/1/paid", ref="/do/1/paid", name="paid", function="x:1")
    undone = api("POST", f"runs/{other.id}/undo", WHY).json()
    assert (undone["state"], undone["reason"]) == ("running", "undoing")


@pytest.mark.parametrize(
    ("command", "given"), [("skips", {"output": 1}), ("firings", {}), ("answers", {"decision": "approved"})]
)
def test_a_step_asked_for_by_its_place_is_answered_with_its_key(
    api: Caller, command: str, given: dict[str, Any]
) -> None:
    run = rows.run("waiting", "person")
    for key in ("/do/2/ask@1/try/0/x", "/do/2/ask@2/try/0/x", "/do/0/write"):
        rows.step(run, key.rpartition("/")[2], "waiting", key=key)
    refused = api("POST", f"runs/{run.id}/{command}", {"step": "/do/2/ask/try/0/x", **given, **WHY})
    assert refused.status_code == 404
    assert refused.json()["near"] == ["/do/2/ask@2/try/0/x", "/do/2/ask@1/try/0/x"]
    assert "Did you mean /do/2/ask@2/try/0/x or" in refused.json()["detail"]
    typo = api("POST", f"runs/{run.id}/{command}", {"step": "/do/0/wrote", **given, **WHY}).json()
    assert typo["near"][0] == "/do/0/write"
    assert "near" not in api("POST", f"runs/{run.id}/{command}", {"step": "elsewhere", **given, **WHY}).json()


def test_a_step_is_skipped_with_an_output_that_fits(api: Caller) -> None:
    run = rows.run("failed", "dead_letter")
    step = rows.step(run, "a", "failed", action_version=run.action_version)
    path = f"runs/{run.id}/skips"
    assert api("POST", path, {"step": "/do/9/x", "output": 1, **WHY}).status_code == 404
    refused = api("POST", path, {"step": step.key, "output": 1})
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/reason"]
    assert api("POST", path, {"step": step.key, "output": {"b": 1}, **WHY}).json()["state"] == "running"
    data = Message.objects.get().data
    assert data is not None
    assert data["by"].startswith("key:")


def test_an_output_that_does_not_fit_is_refused_with_every_pointer(api: Caller) -> None:
    run = rows.run("failed", "dead_letter")
    version = run.action_version
    assert version is not None
    again = type(version).objects.create(
        action=version.action, version="9.9.9", state="draft", kind="python", config={},
        output_schema={"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "string"}}},
    )  # fmt: skip
    step = rows.step(run, "a", "failed", action_version=again)
    refused = api("POST", f"runs/{run.id}/skips", {"step": step.key, "output": {"a": "x", "b": 1}, **WHY})
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/output/a", "/output/b"]


def test_a_wait_is_ended(api: Caller) -> None:
    run = rows.run("waiting", "timer")
    step = rows.step(run, "nap", kind="wait", due=timedelta(hours=1))
    assert api("POST", f"runs/{run.id}/firings", {"step": step.key, **WHY}).status_code == 200
    assert api("POST", f"runs/{run.id}/firings", {"step": step.key, **WHY}).status_code == 409


def ask(**asked: Any) -> Any:
    run = rows.run("waiting", "person", title="a customer")
    return rows.step(run, "ask", "waiting", function="approval:1.0.0", input={"title": "Raise it?", **asked})


def test_the_list_has_what_the_owner_of_the_key_may_answer(with_key: Callable[..., Caller], api: Caller) -> None:
    everybody, mine = ask(), ask(assignees={"users": ["admin"]}, form=FORM, dueIn="P2D", description="Look well.")
    of_a_group, other = ask(assignees={"groups": ["Admin"]}), ask(assignees={"users": ["bob"], "groups": ["Nobody"]})
    done = ask()
    answer = api("POST", f"runs/{done.run_id}/answers", {"step": done.key, "decision": "rejected"})
    assert answer.status_code == 200
    items = api("GET", "approvals").json()["items"]
    assert [item["step_id"] for item in items] == [str(step.id) for step in (everybody, mine, of_a_group)]
    assert items[1]["form"] == FORM
    assert (items[1]["users"], items[1]["description"], items[1]["run_title"]) == (
        ["admin"],
        "Look well.",
        "a customer",
    )
    assert items[1]["due_at"] > items[1]["since"]
    assert items[0]["due_at"] is None
    assert other.state == "waiting"


def test_approvals_are_read_in_pages_there_and_back(api: Caller) -> None:
    steps = [ask() for _ in range(5)]
    first = api("GET", "approvals?limit=2").json()
    second = api("GET", first["next"]).json()
    third = api("GET", second["next"]).json()
    assert [item["step_id"] for page in (first, second, third) for item in page["items"]] == [
        str(step.id) for step in steps
    ]
    assert third["next"] is None
    assert api("GET", third["previous"]).json()["items"] == second["items"]


def test_an_answer_fits_the_form_and_the_first_one_counts(api: Caller) -> None:
    step = ask(form=FORM)
    path, body = f"runs/{step.run_id}/answers", {"step": step.key, "decision": "approved"}
    refused = api("POST", path, {**body, "data": {"limit": "x"}})
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/data/limit"]
    assert api("POST", path, {**body, "decision": "maybe"}).status_code == 422
    taken = api("POST", path, {**body, "data": {"limit": 5}, "reason": "known"})
    assert taken.json() == {"run": str(step.run_id), "step": step.key, "decision": "approved", "by": "admin"}
    again = api("POST", path, {**body, "data": {"limit": 6}})
    assert (again.status_code, again.json()["detail"]) == (409, "This was already answered by admin.")


def test_who_is_not_asked_is_told_who_is(with_key: Callable[..., Caller]) -> None:
    Group.objects.get_or_create(name="Finance")
    step = ask(assignees={"groups": ["Finance"]})
    refused = with_key(role="Operator")(
        "POST", f"runs/{step.run_id}/answers", {"step": step.key, "decision": "approved"}
    )
    assert refused.json()["detail"] == "operator is not asked; the group Finance may answer."
