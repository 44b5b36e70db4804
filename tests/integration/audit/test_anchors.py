"""Anchors get every seal, in order, whatever stands in the way; and nothing is lost while it does."""

import base64
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.management import call_command
from django.db import connections
from pytest_django import Settings

from audit import anchoring, sealing, signing
from audit.models import Anchor, Seal
from tests.integration.audit.trails import chain, ndjson, said, verify

pytestmark = pytest.mark.usefixtures("database")


class Receiver:
    """An HTTP server that answers as it is told and keeps what it got."""

    def __init__(self) -> None:
        self.status, self.got = 200, list[tuple[dict[str, str], bytes]]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.status)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/anchor?token=secret"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def seal() -> None:
    chain(1)
    assert len(sealing.seal()) == 1


def test_a_file_has_a_line_for_each_seal_and_is_private(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "anchor"
    settings.AUDIT_ANCHOR_FILE = str(path)
    for _ in range(3):
        seal()
        anchoring.deliver()
    anchoring.deliver()
    assert [line["number"] for line in ndjson(path.read_text())] == [0, 1, 2]
    assert path.stat().st_mode & 0o777 == 0o600
    assert verify(anchor=path) == "whole"


def test_seals_wait_for_a_place_that_cannot_be_written_to(
    tmp_path: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "not" / "there"
    settings.AUDIT_ANCHOR_FILE = str(path)
    seal()
    with caplog.at_level(logging.WARNING):
        anchoring.deliver()
        anchoring.deliver()
    assert "seal 0 is not anchored in file" in caplog.text
    row = Anchor.objects.get()
    assert (row.upto, row.failures) == (-1, 2)
    assert "No such file" in row.error
    seal()
    path.parent.mkdir()
    out = StringIO()
    call_command("seal_audit", stdout=out)
    assert "up to date" in out.getvalue()
    assert [line["number"] for line in ndjson(path.read_text())] == [0, 1]
    row.refresh_from_db()
    assert (row.upto, row.failures, row.error) == (1, 0, "")


def test_a_line_that_was_torn_by_a_crash_is_written_again(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "anchor"
    settings.AUDIT_ANCHOR_FILE = str(path)
    seal()
    path.write_text('{"type":"seal","numb')
    assert "no line of it is a seal" in verify(anchor=path)
    assert "nothing is anchored there yet" in said()[0]
    anchoring.deliver()
    assert verify(anchor=path) == "whole"
    Anchor.objects.update(upto=-1)  # it was written, but not noted
    seal()
    anchoring.deliver()
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()[1:]] == [0, 0, 1]
    assert verify(anchor=path) == "whole"


def test_a_line_taken_out_of_the_anchor_is_found(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "anchor"
    settings.AUDIT_ANCHOR_FILE = str(path)
    for _ in range(3):
        seal()
    anchoring.deliver()
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[2])
    assert "seal 1: the anchor lacks it before line 2" in verify(anchor=path)


def test_a_missing_anchor_file_is_said(tmp_path: Path, settings: Settings) -> None:
    assert "cannot be read" in verify(anchor=tmp_path / "nothing")
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "anchor")
    seal()
    assert verify() == "whole", "it gets its first seal soon"
    anchoring.deliver()
    (tmp_path / "anchor").unlink()
    assert "cannot be read" in verify()


@pytest.mark.parametrize("text", ["", "\n\n", "a b c\n", '{"number": "x"}\n', '{"type": "end"}\n', "[]\n"])
def test_a_file_that_is_no_anchor_proves_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong"
    path.write_text(text)
    assert verify(anchor=path) == "whole", "nothing was sealed yet"
    seal()
    assert f"anchor {path}: no line of it is a seal" in verify(anchor=path)


def test_an_anchor_that_stopped_growing_is_seen(tmp_path: Path, settings: Settings) -> None:
    path, old = tmp_path / "anchor", tmp_path / "old"
    settings.AUDIT_ANCHOR_FILE = str(path)
    for _ in range(3):
        seal()
        anchoring.deliver()
        old.write_text(old.read_text() if old.exists() else path.read_text())
    assert "seals 0 to 2 of 3 are in it" in said()[0]
    told, wrong = said(anchor=old)
    assert not wrong
    assert "seals 0 to 0 of 3 are in it: 2 after them could be taken back unseen" in told
    path.write_text(old.read_text() + '{"torn')
    told, wrong = said()
    assert "seal 1: the anchor lacks it, although it was brought there" in wrong


def test_a_torn_end_of_the_anchor_is_said(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "anchor"
    settings.AUDIT_ANCHOR_FILE = str(path)
    seal()
    anchoring.deliver()
    path.write_text(path.read_text() + '{"torn')
    told, wrong = said()
    assert not wrong
    assert "its last line is torn" in told


def test_the_anchor_of_the_settings_is_compared_unless_it_is_declined(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "anchor"
    settings.AUDIT_ANCHOR_FILE = str(path)
    seal()
    anchoring.deliver()
    path.write_text(path.read_text().replace('"hash":"', '"hash":"00'))
    assert "seal 0: it is not the seal in line 1 of the anchor" in verify()
    told, wrong = said(without_anchor=True)
    assert not wrong
    assert "no anchor was compared" in told


def test_a_webhook_gets_every_seal_signed_until_it_takes_it(
    receiver: Receiver, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.AUDIT_ANCHOR_URL = receiver.url
    seal()
    for receiver.status in (500, 302, 204):
        anchoring.deliver()
    seal()
    anchoring.deliver()
    numbers = [json.loads(body)["data"]["number"] for _, body in receiver.got]
    assert numbers == [0, 0, 0, 1]
    assert len({headers["webhook-id"] for headers, _ in receiver.got[:3]}) == 1
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signing.public_key()))
    for headers, body in receiver.got:
        version, _, signature = headers["webhook-signature"].partition(",")
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key.verify(base64.b64decode(signature), signed)
        assert version == "v1a"
    row = Anchor.objects.get()
    assert (row.upto, row.failures) == (1, 0)
    assert "the answer was 302" in caplog.text
    assert "secret" not in caplog.text + row.target


def test_a_webhook_that_sends_a_byte_now_and_then_is_left_when_the_time_is_over(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchoring, "TIMEOUT_SECONDS", 1.0)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def trickle() -> None:
            connected, _ = server.accept()
            with connected, suppress(OSError):
                connected.sendall(b"HTTP/1.1 200 OK\r\nx: ")
                while not over.wait(0.2):
                    connected.sendall(b"x")

        def deliver() -> None:
            anchoring.deliver()
            connections.close_all()

        thread = threading.Thread(target=trickle)
        thread.start()
        settings.AUDIT_ANCHOR_URL = f"http://127.0.0.1:{server.getsockname()[1]}/"
        seal()
        delivering = threading.Thread(target=deliver)
        delivering.start()
        delivering.join(20)
        stuck = delivering.is_alive()
        over.set()
        thread.join()
        delivering.join()
    assert not stuck
    row = Anchor.objects.get()
    assert (row.upto, row.failures) == (-1, 1)
    assert "no answer within 1 s" in row.error


def test_a_disk_that_does_not_answer_is_seen_while_it_hangs(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "anchor")
    monkeypatch.setattr(anchoring, "SLOW_SECONDS", 0.0)
    said = list[str]()
    monkeypatch.setattr(anchoring, "append", lambda *_: said.append(Anchor.objects.get().error))
    seal()
    anchoring.deliver()
    assert said == ["seal 0 is being written and has not arrived yet"]
    row = Anchor.objects.get()
    assert row.upto == 0
    assert row.error.startswith("slow: seal 0 took")


def test_a_new_place_gets_all_seals_from_the_first(tmp_path: Path, settings: Settings) -> None:
    for name in ("one", "two"):
        settings.AUDIT_ANCHOR_FILE = str(tmp_path / name)
        seal()
        anchoring.deliver()
    assert len((tmp_path / "one").read_text().splitlines()) == 1
    assert len((tmp_path / "two").read_text().splitlines()) == Seal.objects.count() == 2


def test_the_public_key_is_printed(settings: Settings) -> None:
    out = StringIO()
    call_command("audit_key", stdout=out)
    assert out.getvalue().strip() == signing.public_key()
