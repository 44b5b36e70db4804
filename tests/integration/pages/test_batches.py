"""Commands to many runs on the pages: asked with a number, refused with a reason, told with the result."""

from collections.abc import Callable
from datetime import datetime, timedelta
from unittest.mock import Mock
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from tests.support.engine import start_workflow, work_until_idle
from tests.support.pages import Seeded
from workflows import batches, queries
from workflows.models import Batch
from workflows.queries.batches import batch_outcome
from workflows.views import live

Reader = Callable[..., Client]


def text(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, response.content.decode()
    return response.content.decode()


def asked(client: Client, query: str) -> dict[str, str]:
    """Open the form; return what it would post."""
    context = client.get(f"/batches/new/?{query}").context
    return {
        "verb": context["verb"].verb, "shown": str(context["number"]), "as_of": context["as_of"].isoformat(),
        "batch": str(context["batch_id"]), "reason": "gateway is back", **dict(context["picked"].fields),
    }  # fmt: skip


def started(client: Client, query: str, **changes: str) -> Batch:
    answer = client.post("/batches/new/", {**asked(client, query), **changes})
    assert answer.status_code == 303, answer.content.decode()
    found = Batch.objects.latest("id")
    assert answer["Location"] == f"/batches/{found.pk}/"
    return found


def work_off(found: Batch) -> None:
    Batch.objects.filter(pk=found.pk).update(rate=1000, due_at=timezone.now() - timedelta(hours=1))
    batches.work(10)
    batches.work(10)


def test_the_form_names_the_number_what_happens_and_the_filter(reader: Reader, runs: Seeded) -> None:
    page = text(reader(), "/batches/new/?verb=retry&status=failed&name=broken")
    assert "Retry 1 run?" in page
    assert "10 a second" in page
    assert "<b>broken</b>" in page


def test_a_batch_from_a_filter_tells_what_became_of_it(reader: Reader, runs: Seeded) -> None:
    client = reader()
    found = started(client, "verb=retry&status=failed")
    assert (found.verb, found.total, found.shown, found.actor) == ("retry", 1, 1, "user:operator")
    page = text(client, f"/batches/{found.pk}/")
    assert "Batch started: 1 run will be retried." in page
    assert "0 of 1 had their turn" in page
    work_off(found)
    assert "1 is still going on" in text(client, f"/batches/{found.pk}/")
    work_until_idle(20)
    page = text(client, f"/batches/{found.pk}/")
    assert "1 failed again" in page
    assert "order/88213" in page
    assert "1 failed again" not in text(client, "/batches/")
    assert f"/batches/{found.pk}/" in text(client, "/batches/")


def test_picked_runs_go_without_a_filter_and_all_means_the_filter(reader: Reader, runs: Seeded) -> None:
    start_workflow("pause", {})
    work_until_idle()
    client = reader()
    picked = started(client, f"verb=suspend&run={runs.waiting}&status=waiting")
    assert list(picked.items.values_list("run", flat=True)) == [runs.waiting]
    query = urlencode([("verb", "suspend"), ("run", runs.waiting), ("all", "1"), ("status", "waiting")])
    assert started(client, query).total == 2


def test_another_number_than_was_shown_is_said(reader: Reader, runs: Seeded) -> None:
    client = reader()
    found = started(client, "verb=retry&status=failed", shown="44")
    assert "The form named 44; when the batch began, 1 matched." in text(client, f"/batches/{found.pk}/")


def test_a_newer_run_than_the_form_is_not_in_it(reader: Reader, runs: Seeded) -> None:
    client = reader()
    form = asked(client, "verb=cancel&name=pause")
    start_workflow("pause", {})
    client.post("/batches/new/", form)
    assert list(Batch.objects.get().items.values_list("run", flat=True)) == [runs.waiting]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("verb=retry", 400, "needs a filter"), ("verb=retry&status=bogus", 400, "status=bogus"),
        ("verb=retry&run=x", 400, "not ids of runs"), ("verb=erase&status=failed", 400, "What should be done?"),
        ("status=failed", 200, "What should be done?"), ("verb=retry&name=none", 200, "There is nothing to do"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_before(reader: Reader, runs: Seeded, query: str, status: int, said: str) -> None:
    assert said in text(reader(), f"/batches/new/?{query}", status)


@pytest.mark.parametrize(
    "changes",
    [{"reason": " "}, {"reason": "x" * 2000}, {"name": "none", "status": ""}, {"verb": "erase"}, {"status": "bogus"}],
)
def test_a_form_that_is_wrong_starts_nothing(reader: Reader, runs: Seeded, changes: dict[str, str]) -> None:
    client = reader()
    form = {**asked(client, "verb=retry&status=failed"), **changes}
    assert client.post("/batches/new/", form).status_code in (400, 422)
    assert not Batch.objects.exists()


@pytest.mark.parametrize("field", ["shown", "as_of", "batch"])
@pytest.mark.parametrize("value", ["", "x", "-1", "9" * 40, "\x00", "2999-01-01T00:00:00Z"])
def test_hidden_fields_that_somebody_changed_break_nothing(
    reader: Reader, runs: Seeded, field: str, value: str
) -> None:
    client = reader()
    form = {**asked(client, "verb=retry&status=failed"), field: value}
    assert client.post("/batches/new/", form).status_code in (303, 400, 422)
    assert all(row.as_of <= timezone.now() for row in Batch.objects.all())


def test_the_permission_of_the_verb_is_needed_as_well(reader: Reader, runs: Seeded) -> None:
    client = reader(None)
    nobody = User.objects.get(username="nobody")
    nobody.user_permissions.set(Permission.objects.filter(codename__in=["change_batch", "view_batch", "retry_run"]))
    assert "workflows.cancel_run" in text(client, "/batches/new/?verb=cancel&status=waiting", 403)
    assert client.post("/batches/new/", {"verb": "cancel", "status": "waiting", "reason": "x"}).status_code == 403
    assert "Retry 1 run?" in text(client, "/batches/new/?verb=retry&status=failed")
    assert not Batch.objects.exists()


def test_a_batch_can_be_stopped_with_a_reason_once(reader: Reader, runs: Seeded) -> None:
    client = reader()
    found = started(client, "verb=cancel&status=waiting")
    assert "1 run stays as it is" in text(client, f"/batches/{found.pk}/stop/")
    assert client.post(f"/batches/{found.pk}/stop/", {"reason": ""}).status_code == 422
    assert client.post(f"/batches/{found.pk}/stop/", {"reason": "wrong"}).status_code == 303
    assert "It was stopped: 1 stay as they were." in text(client, f"/batches/{found.pk}/")
    client.post(f"/batches/{found.pk}/stop/", {"reason": "again"})
    assert "already stopped" in text(client, f"/batches/{found.pk}/")


def test_the_page_polls_while_something_may_change_and_then_no_more(reader: Reader, runs: Seeded) -> None:
    client = reader()
    found = started(client, "verb=cancel&status=waiting")
    poll = client.get(f"/batches/{found.pk}/").context["poll_url"]
    assert client.get(poll).status_code == 204
    work_off(found)
    body = client.get(poll).content.decode()
    assert 'id="batch-head" hx-swap-oob="true"' in body
    assert "Finished" in body
    assert "data-poll" not in body


def test_items_are_listed_by_what_became_of_them(reader: Reader, runs: Seeded) -> None:
    client = reader()
    gone = uuid4()
    found = started(client, urlencode([("verb", "retry"), ("run", runs.failed), ("run", gone)]), run=str(gone))
    work_off(found)
    page = text(client, f"/batches/{found.pk}/?state=skipped")
    assert f"There is no run {gone}" in page
    assert text(client, f"/batches/{found.pk}/?state=bogus&after=%00x")


def test_the_last_day_of_a_batch_is_the_one_before_it_was_started(reader: Reader, runs: Seeded) -> None:
    client = reader()
    form = asked(client, "verb=retry&status=failed&since=24h")
    client.post("/batches/new/", form)
    assert client.post("/batches/new/", form).status_code == 303
    found = Batch.objects.get()
    assert datetime.fromisoformat(found.chosen["since"]) == found.as_of - timedelta(hours=24)
    page = text(client, f"/batches/{found.pk}/")
    assert "last 24 hours" not in page
    assert f"since={found.as_of - timedelta(hours=24):%Y-%m-%dT%H}" in page


def test_a_form_whose_batch_is_another_one_is_shown_again_with_an_id_of_its_own(reader: Reader, runs: Seeded) -> None:
    client = reader()
    first = started(client, "verb=retry&status=failed")
    form = {**asked(client, "verb=cancel&status=waiting"), "batch": str(first.pk)}
    answer = client.post("/batches/new/", form)
    assert answer.status_code == 422
    assert "another batch" in answer.content.decode()
    form["batch"] = str(answer.context["batch_id"])
    assert client.post("/batches/new/", form).status_code == 303
    assert Batch.objects.count() == 2


def test_what_became_of_the_runs_is_asked_once_a_request_and_seldom_after_the_end(
    reader: Reader, runs: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = reader()
    found = started(client, "verb=retry&status=failed")

    def outcomes(address: str) -> int:
        asked = Mock(wraps=batch_outcome)
        monkeypatch.setattr(queries, "batch_outcome", asked)
        assert client.get(address).status_code == 200
        return asked.call_count

    address = f"/batches/{found.pk}/"
    assert client.get(address).context["poll_every"] == live.RUN_SECONDS
    work_off(found)
    assert outcomes(address) == 1
    assert outcomes(f"{address}live/?v=other") == 1
    assert client.get(address).context["poll_every"] > live.RUN_SECONDS


def test_what_runs_are_called_is_for_those_who_may_see_runs(reader: Reader, runs: Seeded) -> None:
    address = f"/batches/{started(reader(), 'verb=retry&status=failed').pk}/"
    assert "order/88213" in text(reader("Viewer"), address)
    client = reader(None)
    User.objects.get(username="nobody").user_permissions.set(Permission.objects.filter(codename="view_batch"))
    page = text(client, address)
    assert str(runs.failed) in page
    assert "order/88213" not in page


def test_unknown_batches_are_404(reader: Reader, database: None) -> None:
    client = reader()
    for path in ("", "live/", "stop/"):
        assert client.get(f"/batches/{UUID(int=7)}/{path}").status_code == 404
