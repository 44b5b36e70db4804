"""An export verifies without dotdo and its database, and nothing can be changed in it unnoticed."""

import csv
import io
import json
import os
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from audit import anchoring, exporting, offline, pruning, sealing, signing
from audit.models import AuditEvent
from audit.recording import TRAIL, record
from dotdo_site.lib.ids import uuid7
from tests.integration.api.conftest import Caller
from tests.integration.audit.trails import LONG_AGO, chain, extend, ndjson, verify
from tests.support.documents import publish
from tests.support.engine import finished, start_workflow

pytestmark = pytest.mark.usefixtures("handlers")
FORK = "do: [{both: {fork: {branches: [{left: {call: test-echo}}, {right: {call: test-echo}}]}}}]"
Lines = list[dict[str, Any]]


def exported(path: Path, **wanted: Any) -> Path:
    call_command("export_audit", to=path, **wanted)
    return path


def check(path: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Verify offline; return what is wrong, or "whole"."""
    capsys.readouterr()
    code = offline.main([str(path), *arguments])
    said = capsys.readouterr()
    assert (code == 0) == (said.err == "")
    return said.err or "whole"


@pytest.fixture
def seals(tmp_path: Path, settings: Settings) -> Path:
    """Make a trail with two seals and an anchor: pruned, grown, and of a real run with a fork."""
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "anchor.ndjson")
    old, grown = chain(3), chain(3)
    assert finished(start_workflow(publish("forked", FORK), {})).state == "succeeded"
    sealing.seal()
    extend(grown, 2)
    pruning.prune([old], before=LONG_AGO + timedelta(days=1), actor="user:test")
    sealing.seal()
    anchoring.deliver()
    extend(grown, 1)
    assert verify() == "whole"
    return tmp_path / "anchor.ndjson"


def test_an_export_of_everything_verifies_with_key_and_copy(
    tmp_path: Path, seals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = exported(tmp_path / "all.ndjson")
    assert check(path, capsys) == "whole"
    assert check(path, capsys, "--seals", str(seals), "--public-key", signing.public_key()) == "whole"
    found = ndjson(path.read_text())
    assert sum(line["type"] == "link" for line in found) == AuditEvent.objects.count()
    assert [line["type"] for line in found if line["type"] not in {"link", "head"}] == [
        "export",
        "seal",
        "seal",
        "tombstone",
        "end",
    ]


def test_the_verifier_runs_alone_with_nothing_but_python(tmp_path: Path, seals: Path) -> None:
    path = exported(tmp_path / "all.ndjson")
    copied = tmp_path / "elsewhere.py"
    copied.write_text(Path(offline.__file__).read_text())
    command = [sys.executable, "-I", "-S", str(copied), str(path), "--public-key", signing.public_key()]
    done = subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "everything fits" in done.stdout
    assert "signed with the key" in done.stdout


def test_an_export_of_a_run_proves_that_its_chains_are_under_the_seals(
    tmp_path: Path, seals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = AuditEvent.objects.filter(kind="branch.opened").values_list("run", flat=True)[0]
    path = exported(tmp_path / "run.ndjson", run=run)
    assert check(path, capsys, "--seals", str(seals), "--public-key", signing.public_key()) == "whole"
    found = ndjson(path.read_text())
    assert {line["run"] for line in found if line["type"] == "link"} == {str(run)}
    assert len({line["chain"] for line in found if line["type"] == "link"}) == 3
    assert sum("path" in line for line in found) == 3


def test_a_part_of_a_chain_names_the_hash_before_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = chain(6)
    sealing.seal()
    path = exported(tmp_path / "part.ndjson", chain=name, since="2024-02-03T04:05:08Z", until="2024-02-03T04:05:10Z")
    links = [line for line in ndjson(path.read_text()) if line["type"] == "link"]
    assert [line["seq"] for line in links] == [2, 3]
    assert ["previous" in line for line in links] == [True, False]
    assert check(path, capsys) == "whole"


def test_events_of_a_run_in_a_chain_of_something_else_verify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, shared = uuid7(), uuid7()
    for owner in (None, run, None, run, run, None):
        record(chain=shared, kind="entry.written", actor="t", run=owner)
    sealing.seal()
    assert check(exported(tmp_path / "run.ndjson", run=run), capsys) == "whole"


def _of(lines: Lines, kind: str) -> Lines:
    """Return the lines of a kind; of links, those of the chain that grew."""
    return [line for line in lines if line["type"] == kind and (kind != "link" or line["actor"] == "worker:ü")]


def _change(kind: str, at: int = 0, **changes: Any) -> Callable[[Lines], None]:
    def do(lines: Lines) -> None:
        _of(lines, kind)[at].update(changes)

    return do


def _drop(kind: str, at: int = 0) -> Callable[[Lines], None]:
    def do(lines: Lines) -> None:
        lines.remove(_of(lines, kind)[at])

    return do


TAMPERING: dict[str, tuple[Callable[[Lines], None], str]] = {
    "a field": (_change("link", 3, actor="nobody"), "its hash does not fit what it says"),
    "a run": (_change("link", 3, run=None), "the end does not fit the lines before it"),
    "a link in the middle": (_drop("link", 2), "link 2 is missing"),
    "the last link": (_drop("link", -1), "the end does not fit the lines before it"),
    "a seal's root": (_change("seal", 0, root="00" * 32), "seal 0: its hash does not fit what it says"),
    "a signature": (_change("seal", 1, signature="00" * 64), "seal 1: its signature is not one of its key"),
    "a seal": (_drop("seal", 0), "cannot be read"),
    "a head": (_drop("head", 1), "seal 0: the heads here are not those of which it was made"),
    "a head's hash": (_change("head", 1, hash="00" * 32), "it is not the link that seal 0 knows"),
    "a tombstone": (_drop("tombstone"), "neither links nor a fitting tombstone are here"),
    "the end": (_drop("end"), "the end is missing: the export was cut off"),
    "the signature of the end": (_change("end", signature="11" * 64), "the end: its signature is not one of its key"),
    "a line that is none": (lambda lines: lines.insert(3, {"type": "what"}), "line 4: it cannot be read"),
    "a line behind the end": (lambda lines: lines.append(lines[5]), "stands behind the end"),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_what_is_changed_in_an_export_is_found(
    tmp_path: Path, seals: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    tamper, words = TAMPERING[name]
    path = exported(tmp_path / "all.ndjson")
    lines = ndjson(path.read_text())
    tamper(lines)
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    assert words in check(path, capsys)


def test_an_export_that_was_made_whole_again_needs_the_key(
    tmp_path: Path, seals: Path, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    key = signing.public_key()
    settings.AUDIT_SIGNING_KEY = "A" * 43 + "="
    path = exported(tmp_path / "all.ndjson")
    assert check(path, capsys) == "whole"
    assert "the end: it is not signed with the key that was given" in check(path, capsys, "--public-key", key)


def test_a_cut_chain_is_found_in_the_export_too(
    tmp_path: Path, seals: Path, superuser: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    name = AuditEvent.objects.filter(seq=5).values_list("chain", flat=True)[0]
    superuser.execute("SET session_replication_role = replica")
    superuser.execute("DELETE FROM audit_event WHERE chain = %s AND seq >= 4", [name])
    superuser.execute("SET session_replication_role = DEFAULT")
    for number, wanted in enumerate(({}, {"chain": name})):
        path = exported(tmp_path / f"{number}.ndjson", **wanted)
        assert f"chain {name}, link 4: it is not here, but seal 1 knows it" in check(path, capsys)


def test_a_copy_of_the_seals_shows_seals_that_were_forged(
    tmp_path: Path, seals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = exported(tmp_path / "all.ndjson")
    seals.write_text(seals.read_text().splitlines()[0] + "\n{torn")
    assert "seal 1: the copy of the seals has another one, or none" in check(path, capsys, "--seals", str(seals))


def test_a_file_that_cannot_be_read_is_no_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert offline.main([str(tmp_path / "nothing")]) == 2
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_spreadsheet_takes_no_cell_for_a_formula(tmp_path: Path, text: str) -> None:
    record(chain=uuid.uuid4(), kind="entry.written", actor=text, reason=text + ',"\n;')
    path = exported(tmp_path / "all.csv", kind="csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = next(row for row in rows if row["kind"] == "entry.written")
    assert (found["actor"], found["reason"]) == (f"'{text}", f"'{text},\"\n;")
    assert rows[0].keys() == set(exporting.COLUMNS)


def test_every_export_is_recorded_with_who_and_what(tmp_path: Path) -> None:
    name = chain(2)
    exported(tmp_path / "a.ndjson", chain=name, reason="yearly audit")
    event = AuditEvent.objects.get(kind="audit.exported")
    assert (event.chain, event.reason) == (TRAIL, "yearly audit")
    assert event.actor.startswith("cli:")
    assert json.loads(event.data) == {"chain": str(name), "kind": "ndjson"}


def test_an_export_overwrites_nothing_and_says_what_is_wrong(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    with pytest.raises(CommandError, match="exists"):
        call_command("export_audit", to=taken)
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export_audit", to=tmp_path / "no" / "folder")
    with pytest.raises(CommandError, match="is no time"):
        call_command("export_audit", since="yesterday")
    assert taken.read_text() == "mine"


def test_a_pruning_by_hand_keeps_what_it_deletes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = chain(3)
    sealing.seal()
    call_command("prune_audit", days=30, export=tmp_path / "kept.ndjson", reason="law", stdout=io.StringIO())
    assert not AuditEvent.objects.filter(chain=name).exists()
    assert check(tmp_path / "kept.ndjson", capsys) == "whole"
    assert str(name) in (tmp_path / "kept.ndjson").read_text()
    assert verify() == "whole"


def test_what_is_pruned_by_hand_is_on_the_disk_before_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = chain(3)
    sealing.seal()
    synced, fsync = list[tuple[bool, int, bool]](), os.fsync

    def seen(number: int) -> None:
        fsync(number)
        what = os.fstat(number)
        synced.append((stat.S_ISDIR(what.st_mode), what.st_size, AuditEvent.objects.filter(chain=name).exists()))

    monkeypatch.setattr(os, "fsync", seen)
    path = tmp_path / "kept.ndjson"
    call_command("prune_audit", days=30, export=path, reason="law", stdout=io.StringIO())
    assert [there for _, _, there in synced] == [True, True]
    assert synced[0][:2] == (False, path.stat().st_size)
    assert synced[1][0]
    assert not AuditEvent.objects.filter(chain=name).exists()


def test_the_api_streams_what_the_command_writes(
    tmp_path: Path, seals: Path, with_key: Callable[..., Caller], capsys: pytest.CaptureFixture[str]
) -> None:
    caller = with_key("audit:export", role="Auditor")
    answer = caller("GET", "audit/export")
    assert answer["Content-Type"] == "application/x-ndjson"
    assert answer["Content-Disposition"] == 'attachment; filename="audit.ndjson"'
    path = tmp_path / "api.ndjson"
    path.write_bytes(b"".join(answer.streaming_content))
    assert check(path, capsys) == "whole"
    assert AuditEvent.objects.get(kind="audit.exported").actor.startswith("key:")
    table = caller("GET", f"audit/export?kind=csv&chain={TRAIL}")
    assert b"audit.exported" in b"".join(table.streaming_content)


@pytest.mark.parametrize("query", ["kind=xml", "run=1", "since=soon", "what=1", "chain=%00", "run=1&run=2"])
def test_a_wrong_question_is_a_problem(api: Caller, query: str) -> None:
    assert api("GET", f"audit/export?{query}").status_code == 400
