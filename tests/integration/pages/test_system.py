"""Workers and queues: what works and what waits at a glance; pause and drain with a reason, and the result told."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from tests.support.engine import start_action
from workflows import claim, queries
from workflows.models import Chore, Queue, Step, Worker

Reader = Callable[..., Client]
pytestmark = pytest.mark.usefixtures("handlers")


def worker(pid: int = 7, **values: Any) -> Worker:
    facts = {"host": "atlas", "code_version": "abc123", "started_at": timezone.now(), "heartbeat_at": Now()}
    return Worker.objects.create(pid=pid, **{**facts, **values})


def page(client: Client, path: str = "/system/", status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return response.content.decode()


def test_it_shows_who_works_on_what_and_marks_old_code(reader: Reader) -> None:
    old = worker(1, code_version="older", started_at=timezone.now() - timedelta(hours=1), queues=["mail"])
    new = worker(2)
    run_id = start_action("test-echo", {"value": 1})
    held = claim.take("default", 2, new.pk, 30.0)
    assert held is not None
    text = page(reader())
    assert f'href="/runs/{run_id}/?step={held.step}"' in text
    assert text.index("atlas:2") < text.index("atlas:1"), "the newest first"
    assert text.count("other code</span>") == 1
    assert "Workers run different code" in text
    assert f"/system/workers/{old.pk}/drain/" in text


def test_a_worker_that_is_silent_and_one_that_drains_say_so(reader: Reader) -> None:
    worker(1, heartbeat_at=timezone.now() - timedelta(minutes=5))
    worker(2, draining_at=Now(), draining_by="user:olga")
    text = page(reader())
    assert "Silent" in text
    assert "Drained" in text
    assert "by olga" in text
    assert "All workers are drained" not in text


def test_queues_show_how_much_waits_and_that_nobody_serves_them(reader: Reader) -> None:
    worker(1, queues=["mail"])
    start_action("test-echo", {"value": 1})
    text = page(reader())
    assert "No worker takes steps of the queue default" in text
    assert "/system/queues/mail/pause/" in text


def test_a_queue_is_paused_and_resumed_with_a_reason(reader: Reader) -> None:
    client = reader()
    path = "/system/queues/default/pause/"
    assert "Clocks go on" in page(client, path)
    assert client.post(path, {"reason": " "}).status_code == 422
    assert client.post(path, {"reason": "the <b>bank</b> is down"})["Location"] == "/system/"
    text = page(client)
    assert "The queue default is paused." in text
    assert "the &lt;b&gt;bank&lt;/b&gt; is down" in text
    assert "paused already" in page(client, path)
    client.post(path, {"reason": "again"})
    assert "Nothing was done" in page(client)
    client.post("/system/queues/default/resume/", {"reason": "it is back"})
    assert Queue.objects.get().paused_at is None
    assert "not paused" in page(client, "/system/queues/default/resume/")
    page(client, "/system/queues/nobody/pause/", 404)
    page(client, f"/system/workers/{uuid.uuid4()}/drain/", 404)


def test_the_last_worker_that_is_drained_is_warned_of_before_and_after(reader: Reader) -> None:
    client, row = reader(), worker()
    start_action("test-echo", {"value": 1})
    claim.take("default", 2, row.pk, 30.0)
    path = f"/system/workers/{row.pk}/drain/"
    assert "No other worker takes steps now" in page(client, path)
    client.post(path, {"reason": "a new kernel"})
    text = page(client)
    assert "takes no further step. It finishes" in text
    assert "All workers are drained" in text
    assert "Draining" in text
    Step.objects.filter(leased_by=row.pk).update(state="ready", leased_by=None, lease_expires_at=None)
    assert "Drained" in page(client)
    client.post(f"/system/workers/{row.pk}/undrain/", {"reason": "done"})
    assert "Idle" in page(client)


def test_chores_say_what_failed(reader: Reader) -> None:
    Chore.objects.create(name="audit.seal", next_at=Now(), began_at=Now(), ended_at=Now(), error="OSError: <disk> full")
    assert "OSError: &lt;disk&gt; full" in page(reader())


def test_a_viewer_sees_it_and_is_offered_nothing(reader: Reader) -> None:
    row = worker()
    text = page(reader("Viewer"))
    assert "atlas:7" in text
    assert "/pause/" not in text
    assert f"/workers/{row.pk}/drain/" not in text


def test_the_poller_gets_only_what_changed(reader: Reader) -> None:
    client = reader()
    worker()
    text = page(client)
    address = text.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert address.startswith("/system/live/")
    assert 'id="queues"' not in client.get(address).content.decode()
    worker(8)
    changed = page(client, address)
    assert 'id="workers"' in changed
    assert 'id="queues"' in changed, "one more worker serves them"
    assert 'id="house"' not in changed


def test_a_poll_renders_nothing_while_nothing_changes(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    same = queries.database()
    monkeypatch.setattr(queries, "database", lambda: same)  # its size changes with every test
    client = reader()
    worker()
    address = page(client).split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert page(client, address, 204) == ""
    worker(8)
    assert 'id="workers"' in page(client, address)


def test_the_number_of_queries_does_not_grow(reader: Reader, django_assert_max_num_queries: Callable[..., Any]) -> None:
    client = reader()
    for pid in range(30):
        worker(pid, queues=[f"q{pid}"])
    with django_assert_max_num_queries(30):
        page(client)
