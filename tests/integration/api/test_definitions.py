"""Actions and workflows over HTTP: draft, refuse with every problem, publish, read."""

from typing import Any

import pytest

from actions.models import ActionVersion
from audit.models import AuditEvent
from tests.integration.api.conftest import Caller
from tests.support.engine import work_until_idle
from workflows.models import WorkflowVersion

pytestmark = pytest.mark.usefixtures("handlers")
HTTP_ACTION: dict[str, Any] = {
    "name": "update-crm",
    "kind": "http",
    "config": {"method": "POST", "url": "https://crm.example.com/records"},
    "input_schema": {"email": "string"},
    "title": "Update the CRM record",
}
WORKFLOW = """
document: {dsl: 1.0.3, namespace: default, name: greet, version: 1.0.0}
do:
- say: {call: test-echo, with: {value: "${ .name }"}}
"""


def test_an_action_is_drafted_published_and_read(api: Caller) -> None:
    drafted = api("POST", "actions", HTTP_ACTION)
    assert (drafted.status_code, drafted["Location"]) == (201, "/api/v1/actions/update-crm")
    assert (drafted.json()["version"], drafted.json()["state"]) == ("1.0.0", "draft")
    assert api("POST", "actions/update-crm/runs", {"input": {"email": "a@b.c"}}).status_code == 404, "only a draft"
    published = api("POST", "actions/update-crm/versions/1.0.0/publication", {"reason": "reviewed"})
    assert (published.status_code, published.json()["state"]) == (200, "published")
    shown = api("GET", "actions/update-crm").json()
    assert shown["input_schema"]["properties"] == {"email": {"type": "string"}}
    assert [version["version"] for version in shown["versions"]] == ["1.0.0"]
    assert "update-crm" in [row["name"] for row in api("GET", "actions").json()]
    assert AuditEvent.objects.filter(kind="action.published").order_by("-id")[0].reason == "reviewed"


def test_a_published_version_cannot_be_published_or_drafted_again(api: Caller) -> None:
    api("POST", "actions", HTTP_ACTION)
    path = "actions/update-crm/versions/1.0.0/publication"
    assert api("POST", path).status_code == 200
    assert api("POST", path).status_code == 422
    assert api("POST", "actions", HTTP_ACTION).json()["errors"][0]["pointer"] == "/version"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kind": "python"}, "/kind"),
        ({"name": "Not A Name"}, "/name"),
        ({"version": "one"}, "/version"),
        ({"timeout": "soon"}, "/timeout"),
        ({"effect": "maybe"}, "/effect"),
        ({"config": []}, "/config"),
        ({"state": "published"}, "/state"),
        ({"digest": "x"}, "/digest"),
        ({"transactional": True}, "/transactional"),
    ],
)
def test_a_draft_that_does_not_fit_is_refused_with_a_pointer(api: Caller, change: Any, pointer: str) -> None:
    response = api("POST", "actions", HTTP_ACTION | change)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer
    assert not ActionVersion.objects.filter(action__name="update-crm").exists()


def test_a_draft_of_an_action_is_refused_with_everything_that_is_wrong(api: Caller) -> None:
    wrong = {
        "name": "Not A Name",
        "kind": "ftp",
        "effect": "maybe",
        "timeout": "99d",
        "retry": {"max_attempts": 0},
        "queue": "A B",
    }
    response = api("POST", "actions", HTTP_ACTION | wrong)
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-definition")
    pointers = {error["pointer"] for error in response.json()["errors"]}
    assert pointers == {"/name", "/kind", "/effect", "/timeout", "/retry/max_attempts", "/queue"}


def test_a_draft_with_a_broken_configuration_is_not_saved(api: Caller) -> None:
    config = {"method": "SHOUT", "url": "http://{host}/x", "zzz": 1}
    response = api("POST", "actions", HTTP_ACTION | {"config": config})
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-definition")
    assert {error["pointer"] for error in response.json()["errors"]} == {"/config/method", "/config/url", "/config/zzz"}
    assert not ActionVersion.objects.filter(action__name="update-crm").exists()


def test_an_unknown_field_does_not_hide_the_other_mistakes_of_a_body(api: Caller) -> None:
    response = api("POST", "actions", HTTP_ACTION | {"digest": "x", "config": [], "retry": 1})
    assert {error["pointer"] for error in response.json()["errors"]} == {"/digest", "/config", "/retry"}


def test_what_is_unknown_is_a_404_that_names_near_matches(api: Caller) -> None:
    assert "test-echo" in api("GET", "actions/test-eco").json()["near"]
    assert api("GET", "workflows/nothing").status_code == 404
    assert api("POST", "actions/test-echo/versions/9.9.9/publication").status_code == 404
    assert api("POST", "workflows/x/versions/1.0.0/publication").status_code == 404


def test_a_workflow_is_drafted_published_started_and_finished(api: Caller) -> None:
    drafted = api("POST", "workflows", {"source": WORKFLOW})
    assert (drafted.status_code, drafted["Location"]) == (201, "/api/v1/workflows/greet")
    assert api("POST", "workflows/greet/runs", {"input": {"name": "Ada"}}).status_code == 404, "only a draft"
    assert api("POST", "workflows/greet/versions/1.0.0/publication").json()["state"] == "published"
    run = api("POST", "workflows/greet/runs", {"input": {"name": "Ada"}}).json()
    work_until_idle()
    done = api("GET", f"runs/{run['id']}").json()
    assert (done["kind"], done["state"], done["output"]) == ("workflow", "succeeded", "Ada")
    shown = api("GET", "workflows/greet").json()
    assert shown["source"].strip() == WORKFLOW.strip()
    assert shown["document"]["document"]["name"] == "greet"
    assert [row["name"] for row in api("GET", "workflows").json()] == ["greet"]


def test_the_problems_of_a_document_are_sentences(api: Caller) -> None:
    source = WORKFLOW.partition("do:")[0] + "do:\n- again: {run: {shell: {command: ls}}}\n- b: 5\n"
    errors = api("POST", "workflows", {"source": source}).json()["errors"]
    said = {error["pointer"]: error["message"] for error in errors}
    assert said["/do/0/again/run/shell"].startswith("`shell` is not supported. A document cannot bring code with it.")
    assert "; found 5; expected one of" in said["/do/1/b"]


def test_a_document_is_checked_without_being_saved(api: Caller) -> None:
    assert api("POST", "workflows/validate", {"source": WORKFLOW}).json() == {"valid": True, "problems": []}
    wrong = (
        WORKFLOW.partition("do:")[0] + "do:\n- get: {call: http, with: {method: GET, endpont: 'https://example.com'}}\n"
    )
    assert api("POST", "workflows/validate", {"source": wrong}).json() == {
        "valid": False,
        "problems": [
            {
                "pointer": "/do/0/get/with/endpont",
                "message": "`endpont` is not a key of this object",
                "found": "",
                "expected": "",
                "suggestion": "Did you mean `endpoint`?",
            }
        ],
    }
    (unreadable,) = api("POST", "workflows/validate", {"source": "a: &a [*a]"}).json()["problems"]
    assert unreadable["message"].startswith("line 1, column ")
    assert not api("GET", "workflows").json()
    assert api("POST", "workflows/validate", {"sauce": WORKFLOW}).status_code == 422


def test_a_workflow_cannot_take_the_name_of_an_address(api: Caller) -> None:
    taken = WORKFLOW.replace("name: greet", "name: validate")
    (problem,) = api("POST", "workflows/validate", {"source": taken}).json()["problems"]
    assert (problem["pointer"], problem["suggestion"]) == ("/document/name", "Choose another name.")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "x",
        "do: []",
        WORKFLOW.replace("call: test-echo", "call: no-such-action"),
        WORKFLOW.replace("${ .name }", "${ .name"),
        WORKFLOW.replace("do:", "undo:"),
        "a: &a [*a]",
        "a: !!python/object:os.system x",
        "[" * 500,
    ],
)
def test_a_bad_document_is_refused_with_problems_and_never_published(api: Caller, source: str) -> None:
    response = api("POST", "workflows", {"source": source})
    if response.status_code == 201:
        response = api("POST", "workflows/greet/versions/1.0.0/publication")
    assert response.status_code == 422
    assert response.json()["errors"]
    assert not WorkflowVersion.objects.filter(state="published").exists()


@pytest.mark.parametrize("kind", ["action", "workflow"])
@pytest.mark.parametrize("version", ["9.9.9", "newest"])
def test_a_version_that_there_is_not_is_named_in_plain_words(api: Caller, kind: str, version: str) -> None:
    answer = api("POST", f"{kind}s/nothing/versions/{version}/publication", {"reason": "x"})
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"There is no version {version} of the {kind} nothing."
