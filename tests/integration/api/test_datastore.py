"""The datastore over HTTP: nobody overwrites what they have not read."""

from typing import Any

import pytest

from audit.models import AuditEvent
from tests.integration.api.conftest import Caller
from workflows.models import Entry

pytestmark = pytest.mark.usefixtures("db")
PATH = "datastore/default/users/usr_1"


def _create(api: Caller, value: Any) -> Any:
    return api("PUT", PATH, {"value": value}, If_None_Match="*")


def test_an_entry_is_made_read_and_replaced_by_its_etag(api: Caller) -> None:
    made = _create(api, {"status": "registered"})
    assert (made.status_code, made["ETag"]) == (201, '"1"')
    read = api("GET", PATH)
    assert (read["ETag"], read.json()["value"], read.json()["key"]) == ('"1"', {"status": "registered"}, "users/usr_1")
    written = api("PUT", PATH, {"value": {"status": "email_sent"}}, If_Match=read["ETag"])
    assert (written.status_code, written["ETag"], written.json()["version"]) == (200, '"2"', 2)
    assert list(AuditEvent.objects.filter(kind="entry.written").values_list("seq", flat=True)) == [0, 1]


def test_a_stale_write_is_refused_with_the_current_version_and_changes_nothing(api: Caller) -> None:
    _create(api, 1)
    api("PUT", PATH, {"value": 2}, If_Match='"1"')
    stale = api("PUT", PATH, {"value": 3}, If_Match='"1"')
    assert (stale.status_code, stale["ETag"], stale.json()["current_version"]) == (412, '"2"', 2)
    assert api("GET", PATH).json()["value"] == 2


def test_an_entry_is_not_made_twice(api: Caller) -> None:
    _create(api, 1)
    assert _create(api, 2).status_code == 412


def test_a_write_over_nothing_is_refused(api: Caller) -> None:
    refused = api("PUT", PATH, {"value": 1}, If_Match='"3"')
    assert (refused.status_code, refused.json()["current_version"]) == (412, 0)
    assert not Entry.objects.exists()


def test_a_write_that_does_not_say_what_it_replaces_is_refused(api: Caller) -> None:
    assert api("PUT", PATH, {"value": 1}).status_code == 428


@pytest.mark.parametrize(
    "headers",
    [
        {"If_Match": "*"},
        {"If_Match": "1"},
        {"If_Match": 'W/"1"'},
        {"If_Match": '"1", "2"'},
        {"If_Match": '"0"'},
        {"If_Match": '"99999999999999999999"'},
        {"If_None_Match": '"1"'},
        {"If_Match": '"1"', "If_None_Match": "*"},
    ],
)
def test_a_precondition_that_is_not_enforced_is_refused(api: Caller, headers: dict[str, str]) -> None:
    assert api("PUT", PATH, {"value": 1}, **headers).status_code == 400
    assert not Entry.objects.exists()


@pytest.mark.parametrize("body", [{}, {"vaule": 1}, {"value": 1, "version": 7}, [], 3])
def test_a_body_that_is_not_a_value_is_refused(api: Caller, body: Any) -> None:
    assert api("PUT", PATH, body, If_None_Match="*").status_code == 422


def test_null_is_a_value(api: Caller) -> None:
    assert _create(api, None).status_code == 201
    assert api("GET", PATH).json()["value"] is None


@pytest.mark.parametrize("path", ["datastore/a%00/b", "datastore/a/b%01", "datastore/" + "n" * 64 + "/k",
                                  "datastore/n/" + "k" * 256])  # fmt: skip
def test_a_name_that_cannot_be_stored_is_refused(api: Caller, path: str) -> None:
    assert api("GET", path).status_code == 400
    assert api("PUT", path, {"value": 1}, If_None_Match="*").status_code == 400


def test_a_missing_entry_is_a_404(api: Caller) -> None:
    assert api("GET", PATH).status_code == 404


def test_entries_are_listed_by_prefix_in_pages(api: Caller) -> None:
    for number in range(5):
        api("PUT", f"datastore/default/users/{number}", {"value": number}, If_None_Match="*")
    api("PUT", "datastore/other/users/9", {"value": 9}, If_None_Match="*")
    first = api("GET", "datastore?namespace=default&prefix=users/&limit=3").json()
    second = api("GET", first["next"]).json()
    assert [entry["value"] for entry in first["items"] + second["items"]] == [0, 1, 2, 3, 4]
    assert second["next"] is None
    assert api("GET", second["previous"]).json()["items"] == first["items"]
    assert api("GET", "datastore?prefix=%00").status_code == 400
    assert len(api("GET", "datastore").json()["items"]) == 6
