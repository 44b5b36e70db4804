"""Every page answers, with what it should say; commands say what became of them."""

from collections.abc import Callable
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from django.db.models.functions import Now
from django.test import Client

from tests.support.engine import shown, start_workflow, work_until_idle
from tests.support.pages import Seeded
from workflows import operations, queries
from workflows.grouping import chores
from workflows.models import Run

Reader = Callable[..., Client]


def text(client: Client, path: str, status: int = 200, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == status, response.content.decode()
    return response.content.decode()


def test_the_first_page_names_dead_letters_first_with_a_way_to_retry(reader: Reader, runs: Seeded) -> None:
    chores.group()
    page = text(reader(), "/")
    assert page.index("Needs attention") < page.index("In flight")
    assert "declined: the other side said no" in page
    assert f"?verb=retry&amp;group={queries.group_of(runs.failed).fingerprint}" in page  # type: ignore[union-attr]


def test_many_undone_runs_do_not_hide_a_dead_letter_from_the_first_page(reader: Reader, runs: Seeded) -> None:
    for _ in range(7):
        newer = start_workflow("onboard", {"user": "usr_9"})
        Run.objects.filter(pk=newer).update(state="failed", reason="undone", stopped_at=Now())
    chores.group()
    assert "declined: the other side said no" in text(reader(), "/")


def test_the_list_filters_by_what_the_address_says(reader: Reader, runs: Seeded) -> None:
    client = reader()
    assert "order/88213" in text(client, "/runs/?status=dead_letter")
    assert "order/88213" not in text(client, "/runs/?status=waiting")
    assert "usr_12345" in text(client, "/runs/?tag=region%3Deu&q=usr_1&kind=workflow&since=24h&name=onboard")
    assert "No run matches" in text(client, "/runs/?q=nothing-like-it")


@pytest.mark.parametrize(
    ("query", "named"), [("status=bogus", "status=bogus"), ("since=zz", "since=zz"), ("kind=x", "kind=x"),
                         ("after=garbage", "after does"), ("before=zz", "before does"), ("cursor=zz", "cursor is")],
)  # fmt: skip
def test_an_address_that_is_not_understood_shows_no_run_and_names_the_parameter(
    reader: Reader, runs: Seeded, query: str, named: str
) -> None:
    page = text(reader(), f"/runs/?{query}", 400)
    assert named in page
    assert f"/runs/{runs.failed}/" not in page
    assert text(reader(), "/runs/?status=&q=&kind=&since=")


def test_retry_and_cancel_stand_once_on_a_run_page(reader: Reader, runs: Seeded) -> None:
    for run_id in (runs.failed, runs.waiting):
        page = text(reader(), f"/runs/{run_id}/")
        for verb in ("retry", "cancel"):
            assert page.count(f'data-dialog="dialog-{verb}"') <= 1, verb
    failed = text(reader(), f"/runs/{runs.failed}/")
    assert failed.index('class="callout"') < failed.index('data-dialog="dialog-retry"')
    assert 'data-dialog="dialog-cancel"' in text(reader(), f"/runs/{runs.waiting}/")


def test_a_blocked_run_names_what_would_unblock_it(
    reader: Reader, runs: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start_workflow("order", {"email": "a@example.com", "amount": 1, "lines": []})
    monkeypatch.setattr("workflows.execution.known", lambda job: "echo" not in job.function)
    work_until_idle(4)
    page = text(reader(), f"/runs/{run_id}/")
    assert "DOTDO_ACTION_MODULES" in page
    assert "No running worker has the code of test-echo:" in page


def test_pages_of_the_list_lead_there_and_back(reader: Reader, runs: Seeded) -> None:
    for index in range(60):
        start_workflow("pause", {"n": index})
    client = reader()
    first = client.get("/runs/").context
    second = client.get(f"/runs/?{first['older']}").context
    back = client.get(f"/runs/?{second['newer']}").context
    ids = [[run.id for run in context["page"].items] for context in (first, second, back)]
    assert len(ids[0]) == 50
    assert not set(ids[0]) & set(ids[1])
    assert ids[0] == ids[2]


def test_the_poll_of_the_list_counts_news_and_renews_rows_but_inserts_nothing(reader: Reader, runs: Seeded) -> None:
    client = reader()
    poll = client.get("/runs/").context["poll_url"]
    assert client.get(poll).status_code == 204
    start_workflow("pause", {"n": 99})
    newest = Run.objects.latest("id").id
    answer = client.get(poll)
    body = answer.content.decode()
    assert "1 new run" in body
    assert str(newest) not in body
    assert f"status-{runs.failed}" not in body, "what says the same is left alone"
    assert "no-store" in answer["Cache-Control"]
    assert "HX-Request" in answer["Vary"]


@pytest.mark.parametrize("view", ["timeline", "graph", "events", "io", "logs", "related"])
def test_every_view_of_a_run_answers_for_every_kind_of_run(reader: Reader, runs: Seeded, view: str) -> None:
    client = reader()
    for run_id in (runs.succeeded, runs.waiting, runs.failed, runs.pending):
        assert "<main" in text(client, f"/runs/{run_id}/?view={view}")
        part = text(client, f"/runs/{run_id}/?view={view}&fold=0", hx_request="true")
        assert "<main" not in part
        assert 'id="view"' in part


def test_the_run_page_says_in_words_what_failed_what_is_done_and_what_has_not_begun(
    reader: Reader, runs: Seeded
) -> None:
    page = text(reader(), f"/runs/{runs.failed}/")
    assert "charge failed: the other side said no" in page
    assert "The one step before it is done and will not be repeated." in page
    assert "Nothing after it has begun." in page


def test_a_finished_run_is_not_polled_and_an_unchanged_one_answers_204(reader: Reader, runs: Seeded) -> None:
    client = reader()
    assert client.get(f"/runs/{runs.succeeded}/").context["poll_url"] == ""
    poll = client.get(f"/runs/{runs.failed}/").context["poll_url"]
    assert client.get(poll).status_code == 204
    operations.cancel(runs.failed, actor="user:test", reason="test")
    body = client.get(poll).content.decode()
    assert "Cancelled" in body
    assert 'id="inspector"' not in body or 'id="head"' in body
    assert "data-poll" not in body


def test_masked_values_stay_masked_everywhere(reader: Reader, runs: Seeded) -> None:
    client = reader("Auditor")
    for path in ("", "?view=io", "?view=logs", "?view=events", "raw/input/"):
        assert "hunter2" not in text(client, f"/runs/{runs.succeeded}/{path}")


def test_a_raw_download_is_an_attachment_that_is_not_sniffed(reader: Reader, runs: Seeded) -> None:
    response = reader().get(f"/runs/{runs.succeeded}/raw/output/")
    assert response["Content-Disposition"].startswith("attachment")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Type"] == "application/json"
    assert reader().get(f"/runs/{runs.succeeded}/raw/steps/").status_code == 404


def test_a_retry_reports_the_result_and_not_the_request(
    reader: Reader, runs: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "wait_for", lambda run_id, seconds: work_until_idle())
    client = reader()
    response = client.post(f"/runs/{runs.failed}/retry/", {"reason": "gateway is back"})
    assert (response.status_code, response["Location"]) == (303, f"/runs/{runs.failed}/")
    assert "Retried, and it failed again: charge failed" in text(client, f"/runs/{runs.failed}/")
    assert "gateway is back" in text(client, f"/runs/{runs.failed}/?view=events")


def test_a_command_without_a_reason_is_refused_and_keeps_the_run(reader: Reader, runs: Seeded) -> None:
    for verb in ("retry", "cancel"):
        response = reader().post(f"/runs/{runs.failed}/{verb}/", {"reason": "  "})
        assert response.status_code == 422
    assert shown(runs.failed).state == "failed"


def test_a_command_that_is_not_possible_says_why(reader: Reader, runs: Seeded) -> None:
    client = reader()
    assert "This cannot be done now" in text(client, f"/runs/{runs.succeeded}/retry/")
    client.post(f"/runs/{runs.succeeded}/retry/", {"reason": "again"})
    assert "Nothing was done" in text(client, f"/runs/{runs.succeeded}/")


def test_cancelling_ends_the_run(reader: Reader, runs: Seeded) -> None:
    reader().post(f"/runs/{runs.waiting}/cancel/", {"reason": "not needed"})
    assert shown(runs.waiting).state == "cancelled"


def test_unknown_runs_and_definitions_are_404(reader: Reader, runs: Seeded) -> None:
    client = reader()
    paths = [f"/runs/{uuid4()}/", f"/runs/{uuid4()}/retry/", f"/runs/{uuid4()}/cancel/", f"/runs/{uuid4()}/live/?v=x"]
    for path in [*paths, "/workflows/none/", "/actions/none/", "/workflows/none/start/", "/datastore/entry/?key=none"]:
        assert client.get(path).status_code == 404, path
    assert client.post(f"/runs/{uuid4()}/retry/", {"reason": "x"}).status_code == 404


def test_definitions_show_their_document_contract_versions_and_runs(reader: Reader, runs: Seeded) -> None:
    client = reader()
    assert "broken" in text(client, "/workflows/")
    assert "call: test-refuses" in text(client, "/workflows/broken/")
    assert "test-speaks" in text(client, "/actions/")
    assert "Input schema" in text(client, "/actions/test-speaks/")


def order(**changes: str) -> dict[str, str]:
    return {
        "/email": "ada@example.com",
        "/amount": "12.5",
        "/currency": '"EUR"',
        "/customer/id": "cus_1",
        "count:/lines": "1",
        "/lines/0/sku": "AX-100",
        "/lines/0/qty": "2",
        "count:/tags": "0",
        "do": "start",
        **changes,
    }


def test_a_form_starts_a_run_with_the_value_that_it_shows(reader: Reader, runs: Seeded) -> None:
    response = reader().post("/workflows/order/start/", order(**{"option:key": "k1", "option:tags": "a b"}))
    assert response.status_code == 303, response.content.decode()
    run = shown(UUID(response["Location"].split("/")[2]))
    assert run.input == {
        "email": "ada@example.com",
        "amount": 12.5,
        "currency": "EUR",
        "express": False,
        "customer": {"id": "cus_1"},
        "lines": [{"sku": "AX-100", "qty": 2}],
    }
    assert (run.key, run.tags, run.actor) == ("k1", ["a", "b"], "user:operator")


def test_the_same_key_leads_to_the_same_run_and_other_input_is_refused(reader: Reader, runs: Seeded) -> None:
    client = reader()
    first = client.post("/workflows/order/start/", order(**{"option:key": "k1"}))
    again = client.post("/workflows/order/start/", order(**{"option:key": "k1"}))
    assert again["Location"] == first["Location"]
    other = client.post("/workflows/order/start/", order(**{"option:key": "k1", "/amount": "13"}))
    assert other.status_code == 422
    assert "belongs to run" in other.content.decode()


def test_problems_stand_at_their_fields_and_no_run_is_started(reader: Reader, runs: Seeded) -> None:
    before = Run.objects.count()
    form = order(**{"/amount": "-4", "/email": "nobody", "/lines/0/sku": "", "/lines/0/qty": "two"})
    response = reader().post("/workflows/order/start/", form)
    page = response.content.decode()
    assert response.status_code == 422
    for pointer in ("-amount", "-email", "-lines-0-sku", "-lines-0-qty"):
        assert f'id="f{pointer}-error"' in page, pointer
    assert 'value="-4"' in page
    assert Run.objects.count() == before


def test_checking_starts_nothing(reader: Reader, runs: Seeded) -> None:
    before = Run.objects.count()
    assert "The input is valid" in reader().post("/workflows/order/start/", order(do="check")).content.decode()
    assert reader().post("/workflows/order/start/", order(do="check", **{"/amount": "x"})).status_code == 422
    assert Run.objects.count() == before


def test_lists_grow_and_shrink_without_script_and_keep_what_was_typed(reader: Reader, runs: Seeded) -> None:
    client = reader()
    grown = client.post("/workflows/order/start/", order(do="add:/lines")).content.decode()
    assert 'name="/lines/1/sku"' in grown
    assert 'value="AX-100"' in grown
    shrunk = client.post("/workflows/order/start/", order(do="remove:/lines/0")).content.decode()
    assert 'name="/lines/0/sku"' not in shrunk
    for command in ("add:/nowhere/3/x", "remove:/lines/7", "remove:x", "add:", "tab:form", "tab:other", "explode"):
        assert client.post("/workflows/order/start/", order(do=command)).status_code in {200, 422}


def test_the_json_tab_takes_over_what_the_form_holds_and_refuses_what_is_not_json(reader: Reader, runs: Seeded) -> None:
    client = reader()
    page = client.post("/workflows/order/start/", order(do="tab:json")).content.decode()
    assert "AX-100" in page
    bad = client.post("/workflows/order/start/", {"tab": "json", "json": '{"a": 1, "a": 2}', "do": "start"})
    assert bad.status_code == 422
    assert "appears twice" in bad.content.decode()


def test_a_prefilled_form_leaves_out_what_is_masked(reader: Reader, runs: Seeded) -> None:
    started = operations.start_workflow(
        "order",
        {"email": "a@example.com", "amount": 1, "lines": [], "card_number": "4111111111111111"},
        actor="user:test",
        trigger="test",
    )
    page = text(reader(), f"/workflows/order/start/?from={started.run_id}")
    assert 'value="a@example.com"' in page
    assert "4111" not in page
    assert "•••" not in page
    assert text(reader(), "/workflows/order/start/?from=nonsense")


def entry_path(key: str, namespace: str = "default") -> str:
    return f"/datastore/entry/?{urlencode({'namespace': namespace, 'key': key})}"


def test_an_entry_is_written_only_over_the_version_that_was_read(reader: Reader, runs: Seeded) -> None:
    client = reader()
    assert "usr_1" in text(client, "/datastore/?prefix=usr")
    assert "email_sent" in text(client, entry_path("usr_1"))
    assert client.post(entry_path("usr_1"), {"value": '{"a": 1}', "version": "1"}).status_code == 303
    late = client.post(entry_path("usr_1"), {"value": '{"a": 2}', "version": "1"})
    assert late.status_code == 409
    found = queries.entry("default", "usr_1")
    assert found is not None
    assert found.value == {"a": 1}


@pytest.mark.parametrize(
    ("value", "version"), [("{", "1"), ("1", ""), ("1", "x"), ('{"a": NaN}', "1"), ('"\\u0000"', "1")]
)
def test_a_value_that_is_not_json_is_refused(reader: Reader, runs: Seeded, value: str, version: str) -> None:
    assert reader().post(entry_path("usr_1"), {"value": value, "version": version}).status_code == 422


def test_a_hidden_value_cannot_be_overwritten_with_its_mask(reader: Reader, runs: Seeded) -> None:
    operations.put_entry("default", "s", {"password": "hunter2"}, expected_version=0, actor="user:test")
    client = reader()
    assert "hunter2" not in text(client, entry_path("s"))
    response = client.post(entry_path("s"), {"value": '{"password": "•••"}', "version": "1"})
    assert response.status_code == 422
    found = queries.entry("default", "s")
    assert found is not None
    assert found.version == 1
