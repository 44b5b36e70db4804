"""Whatever stands in an address: a page, or a page that says what is wrong with it; never an error of the server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from dotdo_site.lib.paging import encode
from tests.integration.pages.test_query_counts import PAGES
from tests.support.crowd import crowd
from tests.support.documents import publish
from tests.support.engine import start_workflow, work_until_idle
from tests.support.pages import Seeded, person
from workflows.models import SavedView, Step
from workflows.views.urls import urlpatterns

Reader = Callable[..., Client]
ENDS = (
    "since=0001-01-01T00:00:00Z", "until=9999-12-31T23:59:59Z", "until=9999-12-31T23:59:59-10:00",
    "list=since%3D0001-01-01T00:00:00Z", "list=until%3D9999-12-31T23:59:59Z",
    "verb=retry&since=24h&as_of=0001-01-01T00:00:00Z",
    f"before={encode(UUID(int=2**128 - 1))}", f"after={encode(UUID(int=0))}",
)  # fmt: skip
HOSTILE = (
    *ENDS,
    "after=garbage&before=%00", "cursor=%FF%FE", "q=%00", f"q={'x' * 10_000}", "status=failed&status=failed",
    "status=%00&since=-1d&kind=x", "step=x&attempt=-1&view=%00&fold=x", "attempt=99999999999999999999&step=",
    "v=%00&h=%00&top=x", "from=x&namespace=%00&key=%FF", "version=%00&name=%00", "verb=erase&run=x&as_of=x&shown=-1",
    "window=9999999999d&state=%00", "list=%3F%00&group=%00&code=%00&queue=%00", "at=x&actor=%00&until=0000-00-00",
)  # fmt: skip
FOR_ALL = (f"q={'x' * 10_000}", "cursor=%FF%FE", "after=garbage&before=%00")
EVERY_NAME = "*"
UNKNOWN = {
    "run_id": uuid4(), "step_id": uuid4(), "event_id": uuid4(), "delivery_id": uuid4(), "batch_id": uuid4(),
    "worker_id": uuid4(), "mute_id": uuid4(), "notification_id": uuid4(), "view_id": uuid4(), "name": "nobody",
    "version": "9.9.9", "old": "9.9.8", "new": "9.9.9", "part": "input", "queue": "nobody", "fingerprint": "0" * 32,
}  # fmt: skip
PEOPLE_ASKED = """
do: [{ask: {call: approval, with: {title: Between us?, assignees: {users: [viewer]}}}}]
"""


@pytest.mark.timeout(300)
def test_no_query_string_is_an_error_of_the_server(
    reader: Reader, handlers: None, tmp_path: Path, read: set[str]
) -> None:
    client, made = reader("Admin"), crowd("few", 1, tmp_path)
    client.raise_request_exception = False
    wrong = []
    for name, (_, arguments, _queries) in PAGES.items():
        page = reverse(name, kwargs=_there(arguments(made)))
        read.clear()
        assert client.get(page).status_code < 500
        for query in _matters(set(read)):
            status = client.get(f"{page}?{query}").status_code
            wrong += [(f"{page}?{query}"[:200], status)] if status >= 500 else []
    assert wrong == []


@pytest.mark.parametrize(
    "page", ["runs", "runs-live", "runs-export", "batch-new", "events", "deliveries", "run", "run-live"]
)
def test_the_ends_of_the_calendar_and_of_the_ids_are_no_error(reader: Reader, runs: Seeded, page: str) -> None:
    client = reader()
    address = reverse(page, args=[runs.failed] if page.startswith("run-l") or page == "run" else [])
    found = {query: client.get(f"{address}?{query}").status_code for query in ENDS}
    assert {query: status for query, status in found.items() if status >= 500} == {}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Collect the names that a page looks for in its address, `EVERY_NAME` if it looks at all of them."""
    found: set[str] = set()
    for method in ("get", "getlist", "__getitem__", "__contains__"):
        monkeypatch.setattr(QueryDict, method, _noting(getattr(QueryDict, method), lambda name, *_: found.add(name)))
    for method in ("__iter__", "items", "lists", "values", "dict", "copy", "urlencode"):
        monkeypatch.setattr(QueryDict, method, _noting(getattr(QueryDict, method), lambda *_: found.add(EVERY_NAME)))
    return found


def _noting(method: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
    def noted(query: QueryDict, *arguments: Any, **named: Any) -> Any:
        note(*arguments)
        return method(query, *arguments, **named)

    return noted


def _matters(read: set[str]) -> list[str]:
    """Leave out what a page cannot tell from an address without a query: it looks for none of the names."""
    if EVERY_NAME in read:
        return [*HOSTILE]
    return [query for query in HOSTILE if query in FOR_ALL or parse_qs(query, keep_blank_values=True).keys() & read]


def _there(arguments: dict[str, object]) -> dict[str, object]:
    """Name the one version that there is."""
    return arguments | {key: "1.0.0" for key in ("version", "old", "new") if key in arguments}


def test_what_does_not_exist_is_not_found_by_anybody_who_may_look(reader: Reader, handlers: None) -> None:
    client = reader("Admin")
    user = User.objects.get(username="admin")
    user.is_superuser = True
    user.save()
    found = {}
    for pattern in urlpatterns:
        if names := pattern.pattern.converters:
            address = reverse(str(pattern.name), kwargs={name: UNKNOWN[name] for name in names})
            found[str(pattern.name)] = client.get(address).status_code, client.post(address).status_code
    assert {name: statuses for name, statuses in found.items() if not set(statuses) <= {404, 405}} == {}


def test_a_view_of_somebody_else_can_neither_be_seen_nor_deleted(reader: Reader, handlers: None) -> None:
    client = reader("Operator")
    view = SavedView.objects.create(user=person("Viewer"), name="a private view", query="status=failed")
    assert "a private view" not in client.get("/runs/").content.decode()
    assert client.post(reverse("view-delete", args=[view.pk])).status_code == 404
    assert SavedView.objects.filter(pk=view.pk).exists()


def test_an_approval_for_somebody_else_is_neither_listed_nor_answered(reader: Reader, handlers: None) -> None:
    person("Viewer")
    run = start_workflow(publish("between", PEOPLE_ASKED), {})
    work_until_idle()
    client, step = reader("Operator"), Step.objects.get(run=run, function="approval:1.0.0")
    assert "Between us?" not in client.get("/approvals/").content.decode()
    address = reverse("approval", args=[run, step.pk])
    response = client.post(address, {"do": "approved"})
    assert 400 <= response.status_code < 500
    assert Step.objects.get(pk=step.pk).state == "waiting"
