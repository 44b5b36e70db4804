"""Who is asked: a name that nobody has is told to the author, or to the person who repairs the run."""

import pytest
from django.contrib.auth.models import Group, User

from tests.support.documents import publish
from tests.support.engine import finished, start_workflow
from workflows import operations
from workflows.operations import DefinitionInvalid

pytestmark = pytest.mark.usefixtures("handlers")

ASK = """
do:
  - ask:
      call: approval
      with: {title: Pay?, assignees: {users: "${ .users }", groups: "${ .groups }"}}
"""


def test_an_approval_of_people_who_do_not_exist_fails_at_once_instead_of_waiting_for_ever() -> None:
    User.objects.create(username="ada")
    Group.objects.get_or_create(name="Operator")
    publish("ask", ASK)
    run = finished(start_workflow("ask", {"users": ["ada", "adda"], "groups": ["Operators", "Operator"]}))
    assert run.state == "failed"
    assert run.error is not None
    assert run.error["detail"] == (
        "/assignees/users there is no user 'adda' here (did you mean ada?); "
        "/assignees/groups there is no group 'Operators' here (did you mean Operator?)"
    )


def test_a_misspelt_assignee_is_an_error_that_a_try_catches() -> None:
    publish("ask", "do: [{asking: {try: [{ask: {call: approval, with: {title: x, assignees: {groups: ['${ .g }']}}}}],"
            " catch: {do: [{caught: {set: '${ $error }'}}]}}}]")  # fmt: skip
    run = finished(start_workflow("ask", {"g": "Nobody"}))
    assert (run.state, run.output["status"]) == ("succeeded", 400)
    assert run.output["title"] == "invalid_input"


def test_people_who_cannot_sign_in_are_not_asked() -> None:
    User.objects.create(username="gone", is_active=False)
    publish("ask", ASK)
    run = finished(start_workflow("ask", {"users": ["gone"], "groups": []}))
    assert run.error is not None
    assert run.error["detail"] == "/assignees/users there is no user 'gone' here"


def test_a_group_that_is_made_afterwards_lets_the_failed_approval_be_tried_again() -> None:
    publish("ask", ASK)
    run_id = start_workflow("ask", {"users": [], "groups": ["Treasury"]})
    assert finished(run_id).state == "failed"
    Group.objects.create(name="Treasury")
    operations.retry(run_id, actor="user:ada", reason="there is a group now")
    assert (finished(run_id).state, finished(run_id).reason) == ("waiting", "person")


def test_a_misspelt_assignee_that_is_written_out_is_refused_when_the_document_is_saved() -> None:
    Group.objects.get_or_create(name="Operator")
    with pytest.raises(DefinitionInvalid) as refused:
        publish("ask", "do: [{ask: {call: approval, with: {title: x, assignees: {groups: [Operatr]}}}}]")
    assert [(problem.pointer, problem.message) for problem in refused.value.problems] == [
        ("/do/0/ask/with/assignees/groups/0", "there is no group `Operatr` here. Did you mean `Operator`?")
    ]
