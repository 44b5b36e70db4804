"""The audit log: searched by anything that an event says, verified on the page and as a whole, exported."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit import offline, sealing
from audit.models import AuditEvent, Verification
from audit.recording import record
from tests.integration.audit.trails import Superuser, behind
from tests.support.documents import publish
from tests.support.pages import Seeded
from workflows import asked_verifications, housekeeping, operations
from workflows.queries import keyset

Reader = Callable[..., Client]
ROWS = '<details class="more">'


def page(client: Client, path: str = "/audit/", status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, path
    return response.content.decode()


def note(kind: str = "schedule.paused", actor: str = "user:ada", reason: str = "", **data: Any) -> uuid.UUID:
    chain = uuid.uuid4()
    record(chain=chain, kind=kind, actor=actor, reason=reason, data=data)
    return chain


def test_every_event_is_in_words_with_what_it_concerns_and_never_markup(reader: Reader, runs: Seeded) -> None:
    note(actor="user:<i>eve</i>", reason="<b>because</b> \u202etxt")
    shown = page(reader("Auditor"))
    assert "&lt;b&gt;because&lt;/b&gt; \\u202etxt" in shown
    assert "<i>eve</i>" not in shown
    assert f"/runs/{runs.failed}/" in page(reader("Auditor"), f"/audit/?run={runs.failed}")
    entry = page(reader("Auditor"), "/audit/?kind=entry.written")
    assert "The entry default/usr_1 was written, version 1" in entry
    assert "/datastore/entry/?namespace=default&amp;key=usr_1" in entry


def test_the_log_is_searched_by_each_thing_that_it_says(reader: Reader, database: None) -> None:
    publish("job", "do: [{a: {set: {b: 1}}}]")
    chain = note(reason="the big move")
    note("run.succeeded", "worker:1")
    note(actor="key:1a2b")
    client = reader("Auditor")
    for query, count in {
        "kind=schedule.paused": 2,
        "kind=run.succeeded": 1,
        "actor=ada": 1,
        "actor=user:ada": 1,
        "actor=worker:1": 1,
        "reason=BIG": 1,
        f"chain={chain}": 1,
        f"run={uuid.uuid4()}": 0,
        "definition=job": 2,
        "definition=nothing": 0,
        "since=1h&kind=schedule.paused": 2,
        "from=2031-01-01": 0,
        "until=2020-01-01": 0,
        "actor=ada&kind=run.succeeded": 0,
    }.items():
        assert page(client, f"/audit/?{query}").count(ROWS) == count, query


def test_a_time_finds_its_events_whatever_chains_began_then(reader: Reader, database: None) -> None:
    old, new = note(), note()
    moment = AuditEvent.objects.get(chain=new).at
    client = reader("Auditor")
    shown = page(client, f"/audit/?from={moment:%Y-%m-%dT%H:%M:%S.%fZ}")
    assert str(new) in shown
    assert str(old) not in shown


@pytest.mark.parametrize(
    "query",
    ["kind=no.such", "run=1", "from=noon", "until=9999-12-31T23:59", "from=0001-01-01", "nonsense=1", "after=x"],
)
def test_an_address_that_cannot_be_understood_shows_nothing(reader: Reader, database: None, query: str) -> None:
    note()
    assert ROWS not in page(reader("Auditor"), f"/audit/?{query}", 400)


def test_what_no_index_knows_is_looked_for_in_parts(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, database: None
) -> None:
    monkeypatch.setattr(keyset, "LOOKED_THROUGH", 3)
    sought = note("run.succeeded", "worker:1")
    for _ in range(5):
        note()
    client, path = reader("Auditor"), "/audit/?actor=worker:1"
    for _ in range(3):
        shown = page(client, path)
        if str(sought) in shown:
            break
        assert "Look further back" in shown
        path = "/audit/?" + shown.partition('rel="next"')[0].rpartition('href="?')[2].partition('"')[0].replace(
            "&amp;", "&"
        )
    assert str(sought) in shown


def test_the_number_of_queries_does_not_grow_with_the_events(reader: Reader, database: None) -> None:
    client = reader("Auditor")
    note()
    page(client)
    with CaptureQueriesContext(connection) as one:
        page(client)
    for _ in range(5):
        note()
    with CaptureQueriesContext(connection) as many:
        page(client)
    assert len(many) == len(one)


def test_a_run_is_verified_on_the_page_and_a_forged_link_is_named(
    reader: Reader, runs: Seeded, superuser: Superuser
) -> None:
    client, path = reader("Auditor"), f"/audit/verify/?run={runs.failed}"
    assert "Every link fits" in page(client, path)
    chain = AuditEvent.objects.filter(run=runs.failed).latest("id").chain
    behind(superuser, f"UPDATE audit_event SET actor = 'nobody' WHERE chain = '{chain}' AND seq = 1")
    for address in (path, f"/audit/verify/?chain={chain}"):
        shown = page(client, address)
        assert "This is not what was written" in shown
        assert f"chain {chain}, link 1" in shown
    assert "nothing to verify" in page(client, f"/audit/verify/?run={uuid.uuid4()}")
    assert "it is no id" in page(client, "/audit/verify/?run=x", 400)


def test_what_is_too_long_to_verify_at_once_is_refused(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, runs: Seeded
) -> None:
    monkeypatch.setattr("workflows.verifying.MOST_LINKS", 1)
    assert "too many links" in page(reader("Auditor"), f"/audit/verify/?run={runs.failed}", 400)


def test_the_whole_trail_is_verified_by_the_housekeeper_once_at_a_time(reader: Reader, runs: Seeded) -> None:
    sealing.seal()
    client = reader("Auditor")
    assert client.post("/audit/verify/").status_code == client.post("/audit/verify/").status_code == 303
    assert Verification.objects.count() == 1
    shown = page(client)
    assert "Waits for the housekeeper" in shown
    poll = shown.partition('hx-get="')[2].partition('"')[0].replace("&amp;", "&")
    assert client.get(poll).status_code == 204
    assert "verification.do" in housekeeping.do_due()
    assert "Everything fits" in page(client, poll)
    found = Verification.objects.get()
    assert (found.state, found.asked_by, found.seals) == ("intact", "user:auditor", 1)
    assert found.events > 0
    assert AuditEvent.objects.filter(kind="audit.verified").count() == 1
    assert client.post("/audit/verify/").status_code == 303
    assert Verification.objects.count() == 2


def test_a_broken_trail_is_told_with_what_was_found(reader: Reader, runs: Seeded, superuser: Superuser) -> None:
    chain = AuditEvent.objects.filter(run=runs.failed).latest("id").chain
    behind(superuser, f"UPDATE audit_event SET actor = 'nobody' WHERE chain = '{chain}' AND seq = 1")
    operations.ask_verification(actor="user:ada")
    asked_verifications.do_asked()
    shown = page(reader("Auditor"))
    assert "not what was written" in shown
    assert f"chain {chain}, link 1" in shown


def test_a_verification_whose_process_died_begins_again_and_one_that_is_done_elsewhere_does_not(
    database: None, superuser: Superuser
) -> None:
    note()
    operations.ask_verification(actor="user:ada")
    Verification.objects.update(state="running")
    behind(superuser, "UPDATE audit_verification SET beat_at = now()")
    asked_verifications.do_asked()
    assert Verification.objects.get().state == "running"
    behind(superuser, "UPDATE audit_verification SET beat_at = now() - interval '11 minutes'")
    asked_verifications.do_asked()
    assert Verification.objects.get().state == "intact"


def exported(client: Client, query: str, reason: str = "the yearly review") -> str:
    response = client.post(f"/audit/export/?{query}", {"reason": reason})
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]


@pytest.mark.parametrize("query", ["run", "kind=run.failed", "actor=operator", "", "since=1h", "definition=broken"])
def test_an_export_of_any_filter_verifies_offline_and_is_audited(
    reader: Reader, runs: Seeded, tmp_path: Path, query: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sealing.seal()
    query = f"run={runs.failed}" if query == "run" else query
    text = exported(reader("Auditor"), query)
    path = tmp_path / "audit.ndjson"
    path.write_text(text)
    assert offline.main([str(path)]) == 0, capsys.readouterr().err
    told = AuditEvent.objects.get(kind="audit.exported")
    assert (told.actor, told.reason) == ("user:auditor", "the yearly review")
    links = [line for line in map(json.loads, text.splitlines()) if line["type"] == "link"]
    if query.startswith("kind"):
        assert {line["kind"] for line in links} == {"run.failed"}
    if query.startswith("actor"):
        assert {line["actor"] for line in links} <= {"user:operator"}


def test_an_export_needs_a_reason_and_the_permission(reader: Reader, runs: Seeded) -> None:
    client = reader("Auditor")
    assert "kept in the audit trail" in page(client, "/audit/export/")
    assert client.post("/audit/export/", {"reason": " "}).status_code == 422
    assert client.post("/audit/export/?reason=x", {"reason": "y"}).status_code == 422
    assert not AuditEvent.objects.filter(kind="audit.exported").exists()
    assert "/audit/export/" not in page(reader("Operator"))
    assert reader("Operator").post("/audit/export/", {"reason": "y"}).status_code == 403
