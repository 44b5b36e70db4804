"""The datastore: edited against what was read, deleted with a reason, and what it held before."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from tests.integration.audit.trails import Superuser, behind
from tests.support.documents import publish
from tests.support.engine import start_workflow, work_until_idle
from workflows import operations
from workflows.models import Entry, EntryVersion
from workflows.retention import leftovers

Reader = Callable[..., Client]
PATH = "/datastore/entry/?namespace=default&key=a"
HISTORY = "/datastore/history/?namespace=default&key=a"
DELETE = "/datastore/delete/?namespace=default&key=a"


def put(value: Any, version: int = 0, key: str = "a") -> None:
    operations.put_entry("default", key, value, expected_version=version, actor="user:ada")


def page(client: Client, path: str = PATH, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return response.content.decode()


def test_what_somebody_else_wrote_is_shown_as_a_difference_and_not_overwritten(reader: Reader, database: None) -> None:
    put({"n": 1, "who": "ada"})
    client = reader()
    put({"n": 2, "who": "ada"}, 1)
    form = {"value": '{"n": 3, "who": "ada"}', "version": "1", "reason": "mine"}
    response = client.post(PATH, form)
    shown = response.content.decode()
    assert response.status_code == 409
    assert "nothing was overwritten" in shown
    assert "What yours would change" in shown
    assert 'name="version" value="2"' in shown
    assert Entry.objects.get().value["n"] == 2
    assert client.post(PATH, {**form, "version": "2"}).status_code == 303
    assert Entry.objects.get().value["n"] == 3
    assert AuditEvent.objects.filter(kind="entry.written").latest("id").reason == "mine"


def test_an_entry_that_was_deleted_meanwhile_is_only_written_anew_on_purpose(reader: Reader, database: None) -> None:
    put(1)
    client = reader()
    operations.delete_entry("default", "a", expected_version=1, actor="user:ada", reason="x")
    response = client.post(PATH, {"value": "2", "version": "1"})
    assert response.status_code == 409
    assert "deleted meanwhile" in response.content.decode()
    assert not Entry.objects.exists()
    assert client.post(PATH, {"value": "2", "version": "0"}).status_code == 303
    assert Entry.objects.get().value == 2


@pytest.mark.parametrize(
    "form",
    [
        {"value": "{", "version": "1"},
        {"value": "1", "version": "x"},
        {"value": "1"},
        {"value": "1", "version": "9" * 30},
    ],
)
def test_what_cannot_be_written_says_why_and_keeps_what_was_typed(
    reader: Reader, form: dict[str, str], database: None
) -> None:
    put(5)
    response = reader().post(PATH, form)
    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.content.decode()
    assert Entry.objects.get().value == 5


def test_a_new_entry_never_replaces_one_that_is_there(reader: Reader, database: None) -> None:
    client, form = reader(), {"namespace": "default", "key": "a", "value": '{"b": 1}'}
    assert client.post("/datastore/new/", form)["Location"] == PATH
    response = client.post("/datastore/new/", {**form, "value": "2"})
    assert response.status_code == 422
    assert "an entry of this name already" in response.content.decode()
    assert client.post("/datastore/new/", {**form, "key": ""}).status_code == 422
    assert client.post("/datastore/new/", {**form, "value": "{"}).status_code == 422
    assert Entry.objects.get().value == {"b": 1}
    assert reader("Viewer").post("/datastore/new/", form).status_code == 403


def test_a_delete_needs_a_reason_and_the_version_that_was_read(reader: Reader, database: None) -> None:
    put(1)
    client = reader()
    assert "Delete this entry?" in page(client, DELETE)
    assert client.post(DELETE, {"version": "1", "reason": " "}).status_code == 422
    assert client.post(DELETE, {"version": "7", "reason": "old"}).status_code == 422
    assert client.post(DELETE, {"version": "x", "reason": "old"}).status_code == 422
    assert Entry.objects.exists()
    assert client.post(DELETE, {"version": "1", "reason": "old"}).status_code == 303
    assert not Entry.objects.exists()
    told = AuditEvent.objects.get(kind="entry.deleted")
    assert (told.actor, told.reason) == ("user:operator", "old")
    assert "deleted or expired" in page(client, HISTORY)


def test_a_history_goes_with_its_entry_when_that_is_asked_for(reader: Reader, database: None) -> None:
    put({"name": "Ada"})
    put({"name": "Grace"}, 1)
    reader().post(DELETE, {"version": "2", "reason": "she asked for it", "history": "1"})
    assert not EntryVersion.objects.exists()
    assert page(reader(), HISTORY, 404)


def test_the_history_names_who_wrote_and_hides_what_the_entry_hides(reader: Reader, handlers: None) -> None:
    publish("job", "do: [{w: {call: datastore.set, with: {key: a, value: {n: 1, password: hunter2}}}}]")
    run = start_workflow("job", {})
    work_until_idle(10)
    put({"n": 2, "password": "hunter3", "<b>": "\u202e"}, 1)
    client = reader()
    shown = page(client, HISTORY)
    assert f"/runs/{run}/" in shown
    assert "ada" in shown
    newest = EntryVersion.objects.latest("id")
    compared = page(client, f"{HISTORY}&version={newest.pk}")
    assert "compared with version 1" in compared
    for secret in ("hunter2", "hunter3", "<b>"):
        assert secret not in shown
        assert f'"{secret}' not in compared
    oldest = EntryVersion.objects.earliest("id")
    assert "compared with version 2" in page(client, f"{HISTORY}&version={oldest.pk}&with={newest.pk}")
    assert page(client, f"{HISTORY}&version=123456", 404)
    assert page(client, f"{HISTORY}&version=x", 400)


def test_every_way_to_write_leaves_a_version(database: None, handlers: None) -> None:
    body = """
do:
  - one: {call: datastore.set, with: {key: a, value: {n: 1}}}
  - two: {call: datastore.merge, with: {key: a, value: {m: 2}}}
  - three: {call: datastore.cas, with: {key: a, value: 5, version: 2}}
  - four: {call: datastore.incr, with: {key: a}}
  - five: {call: datastore.delete, with: {key: a}}
"""
    run = start_workflow(publish("job", body), {})
    work_until_idle(10)
    found = list(EntryVersion.objects.order_by("id").values_list("value", "deleted", "version"))
    assert found == [({"n": 1}, False, 1), ({"n": 1, "m": 2}, False, 2), (5, False, 3), (6, False, 4), (None, True, 4)]
    assert set(EntryVersion.objects.values_list("writer", flat=True)) == {f"run:{run}"}


def test_a_write_that_is_rolled_back_leaves_no_version_and_no_writer(database: None, superuser: Superuser) -> None:
    put(1)
    superuser.execute("UPDATE entry SET value = '2', version = 2")
    assert EntryVersion.objects.latest("id").writer == ""


def test_a_history_is_bounded(database: None, superuser: Superuser) -> None:
    put(0)
    put(0, key="b")
    operations.delete_entry("default", "b", expected_version=1, actor="user:ada", reason="x")
    for number in range(1, 110):
        put(number, number)
    leftovers.tidy()
    assert EntryVersion.objects.filter(key="a").count() == 110
    behind(superuser, "UPDATE entry_version SET written_at = now() - interval '2 days'")
    leftovers.tidy()
    kept = EntryVersion.objects.filter(key="a")
    assert (kept.count(), kept.earliest("id").value) == (100, 10)
    assert EntryVersion.objects.filter(key="b").count() == 2
    behind(superuser, "UPDATE entry_version SET written_at = now() - interval '91 days'")
    assert leftovers.tidy()["entry_version"] == 2
    assert EntryVersion.objects.count() == 100


def test_workers_of_the_release_before_write_while_the_migrations_after_this_one_go_on(
    database: None, superuser: Superuser
) -> None:
    put(1)
    with superuser.transaction(force_rollback=True):  # the grants come after the last migration
        superuser.execute("REVOKE ALL ON entry_version, entry_version_id_seq FROM dotdo")
        superuser.execute("SET LOCAL ROLE dotdo")
        superuser.execute("UPDATE entry SET value = '2', version = 2")
        superuser.execute("DELETE FROM entry")
        superuser.execute("RESET ROLE")
        assert superuser.execute("SELECT deleted FROM entry_version ORDER BY id").fetchall() == [
            (False,), (False,), (True,)
        ]  # fmt: skip


def test_a_history_that_grows_faster_than_it_is_swept_is_bounded_by_whoever_writes(
    database: None, superuser: Superuser
) -> None:
    put("other", key="b")
    put(0)
    for number in range(1, 120):
        put(number, number)
    behind(superuser, "UPDATE entry_version SET written_at = now() - interval '2 days'")
    for number in range(120, 150):
        put(number, number)
    kept = EntryVersion.objects.filter(key="a")
    assert (kept.count(), kept.earliest("id").value) == (100, 50)
    operations.delete_entry("default", "a", expected_version=150, actor="user:ada", reason="x")
    assert (kept.count(), kept.earliest("id").value) == (100, 51)
    assert EntryVersion.objects.filter(key="b").count() == 1


def test_keys_with_spaces_and_pages_of_a_history_lead_there_and_back(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, database: None
) -> None:
    monkeypatch.setattr("workflows.views.listing.PAGE_SIZE", 2)
    for number in range(5):
        put(f"held-{number}", number, key=" a ")
    client, path, seen = reader(), "/datastore/history/?namespace=default&key=+a+", []
    while True:
        shown = page(client, path)
        seen += [number for number in range(5) if f"held-{number}" in shown]
        if 'rel="next"' not in shown:
            break
        path = "/datastore/history/?" + shown.partition('rel="next"')[0].rpartition('href="?')[2].partition('"')[
            0
        ].replace("&amp;", "&")
    assert seen == [3, 4, 1, 2, 0]


def test_an_expired_entry_is_gone_everywhere(reader: Reader, database: None, superuser: Superuser) -> None:
    put(1)
    superuser.execute("UPDATE entry SET expires_at = now() - interval '1 second'")
    client = reader()
    assert "Nothing is remembered yet" in page(client, "/datastore/")
    assert page(client, PATH, 404)
    assert page(client, DELETE, 404)
    assert "deleted or expired" in page(client, HISTORY)


def test_an_unknown_filter_is_refused(reader: Reader, database: None) -> None:
    assert "is not a filter" in page(reader(), f"/datastore/?{uuid.uuid4().hex}=1", 400)
