"""Approvals: a list that keeps itself up to date, an answer as JSON, and what was answered before."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.support import rows
from workflows.models import Message, Step

Reader = Callable[..., Client]
FORM = {"type": "object", "required": ["limit"], "properties": {"limit": {"type": "integer"}}}


def approval(**asked: Any) -> Step:
    made = rows.run("waiting", "person")
    return rows.step(made, "ask", "waiting", function="approval:1.0.0", input={"title": "Raise the limit?", **asked})


def path(step: Step) -> str:
    return f"/approvals/{step.run_id}/{step.id}/"


def page(client: Client, address: str = "/approvals/", status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


def test_the_list_changes_only_when_something_is_asked_or_answered(reader: Reader, handlers: None) -> None:
    first, client = approval(), reader()
    shown = page(client)
    poll = shown.partition('hx-get="')[2].partition('"')[0].replace("&amp;", "&")
    assert client.get(poll).status_code == 204
    second = approval()
    assert path(second) in page(client, poll)
    client.post(path(first), {"do": "approved"})
    told = page(client, poll)
    assert path(first) not in told
    assert path(second) in told


def test_an_answer_may_be_given_as_json(reader: Reader, handlers: None) -> None:
    step, client = approval(form=FORM), reader()
    shown = client.post(path(step), {"do": "tab:json", "/limit": "7"}).content.decode()
    assert "&quot;limit&quot;: 7" in shown
    assert client.post(path(step), {"tab": "json", "json": "{", "do": "approved"}).status_code == 422
    assert client.post(path(step), {"tab": "json", "json": '{"limit": "x"}', "do": "approved"}).status_code == 422
    assert "{" in client.post(path(step), {"tab": "json", "json": "{", "do": "tab:form"}).content.decode()
    assert not Message.objects.exists()
    assert client.post(path(step), {"tab": "json", "json": '{"limit": 8}', "do": "approved"}).status_code == 303
    assert (Message.objects.get().data or {})["data"] == {"limit": 8}
    assert "Raise the limit?: approved." in page(client)


def test_what_was_answered_is_listed_with_who_and_why(reader: Reader, handlers: None) -> None:
    step, other = approval(), approval()
    client = reader()
    client.post(path(step), {"do": "rejected", "reason": "<b>too much</b>"})
    reader("Admin").post(path(other), {"do": "approved"})
    shown = page(client, "/approvals/answered/")
    assert "&lt;b&gt;too much&lt;/b&gt;" in shown
    assert path(step) in shown
    assert path(other) in shown
    only = page(client, "/approvals/answered/?by=admin")
    assert path(step) not in only
    assert path(other) in only
    assert page(client, "/approvals/answered/?who=x", 400)


def test_who_may_not_see_runs_sees_only_his_own_answers(reader: Reader, handlers: None) -> None:
    step, other = approval(), approval()
    reader().post(path(step), {"do": "approved"})
    client = reader(None)
    User.objects.get(username="nobody").user_permissions.add(Permission.objects.get(codename="answer_approval"))
    assert client.post(path(other), {"do": "approved"}).status_code == 303
    shown = page(client, "/approvals/answered/")
    assert path(other) in shown
    assert path(step) not in shown
    assert path(step) not in page(client, "/approvals/answered/?by=operator")


@pytest.mark.parametrize("query", ["after=x", "nonsense=1"])
def test_an_address_that_cannot_be_understood_is_refused(reader: Reader, handlers: None, query: str) -> None:
    approval()
    assert "cannot be understood" in page(reader(), f"/approvals/?{query}", 400)


def test_the_number_of_queries_does_not_grow_with_the_approvals(reader: Reader, handlers: None) -> None:
    client = reader()
    approval()
    page(client)
    with CaptureQueriesContext(connection) as one:
        page(client)
    for _ in range(4):
        approval()
    with CaptureQueriesContext(connection) as many:
        page(client)
    assert len(many) == len(one)
