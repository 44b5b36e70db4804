"""The search: what is called just so opens at once, what begins so is listed, and nobody finds what is not theirs."""

import sys
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.support.engine import broadcast, start_workflow
from tests.support.pages import Seeded
from workflows import queries
from workflows.models import Event, Run
from workflows.queries import TooSlow

Reader = Callable[..., Client]


def text(client: Client, query: str) -> str:
    response = client.get("/search/", {"q": query})
    assert response.status_code == 200, response.headers
    return response.content.decode()


def leads(client: Client, query: str) -> str:
    response = client.get("/search/", {"q": query})
    assert response.status_code == 303, response.content.decode()
    return response["Location"]


def test_an_id_a_key_and_a_name_open_at_once(reader: Reader, runs: Seeded) -> None:
    client = reader()
    assert leads(client, f" {runs.failed} ") == f"/runs/{runs.failed}/"
    assert leads(client, "order/1") == f"/runs/{runs.succeeded}/"
    assert leads(client, "broken") == "/workflows/broken/"
    assert leads(client, "test-echo") == "/actions/test-echo/"


def test_an_event_opens_by_either_of_its_ids(reader: Reader, runs: Seeded) -> None:
    broadcast("paid", 7)
    event = Event.objects.get()
    client = reader()
    for known in (str(event.pk), event.event_id):
        assert leads(client, known) == f"/events/{event.pk}/"


def test_a_key_of_several_runs_lists_them(reader: Reader, runs: Seeded) -> None:
    twin = start_workflow("broken", {})
    Run.objects.filter(pk=twin).update(key="order/1")
    page = text(reader(), "order/1")
    assert str(twin) in page
    assert str(runs.succeeded) in page


def test_beginnings_are_listed_by_kind(reader: Reader, runs: Seeded) -> None:
    client = reader()
    page = text(client, "ORDER/8")
    assert f"/runs/{runs.failed}/" in page
    assert f"/runs/{runs.succeeded}/" in text(client, "region=eu")
    assert "/workflows/broken/" in text(client, "brok")
    assert "/actions/test-speaks/" in text(client, "speak")
    assert "/datastore/entry/?namespace=default&amp;key=usr_1" in text(client, "usr_")


@pytest.mark.parametrize("query", ["%", "_", "\\", "88213", "<script>alert(1)</script>", "\u202e", "x" * 300, "\x00"])
def test_signs_and_middles_find_nothing_and_break_nothing(reader: Reader, runs: Seeded, query: str) -> None:
    page = reader().get("/search/", {"q": query})
    assert page.status_code in (200, 400)
    assert f"/runs/{runs.failed}/" not in page.content.decode()
    assert "<script>alert" not in page.content.decode()


def test_each_finds_only_the_kinds_that_they_may_see(reader: Reader, runs: Seeded) -> None:
    client = reader(None)
    User.objects.get(username="nobody").user_permissions.set([Permission.objects.get(codename="view_workflow")])
    assert leads(client, "broken") == "/workflows/broken/"
    for hidden in (str(runs.failed), "order/", "test-echo", "usr_1"):
        page = text(client, hidden)
        assert f"/runs/{runs.failed}/" not in page
        assert "/actions/test" not in page
        assert "key=usr_1" not in page


def test_a_part_that_takes_too_long_is_said_and_the_others_are_shown(
    reader: Reader, runs: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_: object) -> None:
        raise TooSlow

    monkeypatch.setattr(sys.modules["workflows.queries.search"], "run_rows", slow)
    page = text(reader(), "brok")
    assert "Not everything could be searched in time" in page
    assert "/workflows/broken/" in page


def test_more_than_fit_lead_to_the_list(reader: Reader, runs: Seeded) -> None:
    like = Run.objects.get(pk=runs.succeeded)
    Run.objects.bulk_create(
        Run(kind="workflow", workflow_version=like.workflow_version, name=like.name, title=f"Batch {number}",
            trigger="api", actor="user:x", created_at=like.created_at)
        for number in range(12)
    )  # fmt: skip
    found = queries.search("batch", ["runs"])
    assert (len(found.runs), set(found.more)) == (10, {"runs"})
    assert "/runs/?q=batch" in text(reader(), "batch")
