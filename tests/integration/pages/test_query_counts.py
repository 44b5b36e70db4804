"""What a page asks the database for does not grow with what there is: each page with a few of everything, and many."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.support.crowd import Crowd, crowd
from tests.support.pages import person
from workflows.views.urls import urlpatterns

FEW, MANY = 3, 30
ENTRY = "?namespace={made.name}&key=usr_0"
Address = Callable[[Crowd], dict[str, Any]]


def _group(made: Crowd) -> dict[str, Any]:
    return {"fingerprint": made.fingerprint}


def _nothing(_: Crowd) -> dict[str, Any]:
    return {}


def _run(made: Crowd) -> dict[str, Any]:
    return {"run_id": made.run}


def _waiting(made: Crowd) -> dict[str, Any]:
    return {"run_id": made.waiting}


def _step(made: Crowd) -> dict[str, Any]:
    return {"run_id": made.run, "step_id": made.step}


def _workflow(made: Crowd) -> dict[str, Any]:
    return {"name": made.name}


def _schedule(made: Crowd) -> dict[str, Any]:
    return {"name": f"{made.name}-tick-0"}


def _action(made: Crowd) -> dict[str, Any]:
    return {"name": made.action}


# The most that a page may ask for, what stands in its address, and what it is asked with.
PAGES: dict[str, tuple[int, Address, tuple[str, ...]]] = {
    "overview": (40, _nothing, ("",)),
    "overview-live": (40, _nothing, ("",)),
    "runs": (40, _nothing, ("", "?q={made.name}", "?status=failed", "?tag=name%3D{made.name}")),
    "runs-export": (20, _nothing, ("?format=csv&q={made.name}",)),
    "search": (35, _nothing, ("?q=usr",)),
    "batches": (20, _nothing, ("",)),
    "batch-new": (30, _nothing, ("?verb=retry&name={made.name}",)),
    "batch": (20, lambda made: {"batch_id": made.batch}, ("",)),
    "batch-live": (20, lambda made: {"batch_id": made.batch}, ("",)),
    "batch-stop": (20, lambda made: {"batch_id": made.batch}, ("",)),
    "runs-live": (40, _nothing, ("", "?q={made.name}")),
    "run": (40, _run, ("", "?view=graph", "?view=events", "?view=io", "?view=logs", "?view=related")),
    "run-live": (40, _run, ("",)),
    "run-raw": (20, lambda made: _run(made) | {"part": "input"}, ("",)),
    "run-resolve": (20, _run, ("",)),
    "run-undo": (20, _run, ("",)),
    "run-suspend": (20, _waiting, ("",)),
    "run-cancel": (20, _waiting, ("",)),
    "run-erase": (20, _run, ("",)),
    "run-resume": (20, _waiting, ("",)),
    "run-retry": (20, _run, ("",)),
    "run-again": (25, _run, ("",)),
    "run-reveal": (20, _run, ("",)),
    "run-event": (30, _waiting, ("",)),
    "step": (20, _step, ("",)),
    "step-raw": (20, lambda made: _step(made) | {"part": "input"}, ("",)),
    "step-edit": (25, _step, ("",)),
    "step-skip": (20, _step, ("",)),
    "step-fire": (20, _step, ("",)),
    "system": (25, _nothing, ("",)),
    "system-live": (25, _nothing, ("",)),
    "queue-pause": (20, lambda _: {"queue": "default"}, ("",)),
    "queue-resume": (20, lambda _: {"queue": "default"}, ("",)),
    "worker-drain": (20, lambda made: {"worker_id": made.worker}, ("",)),
    "worker-undrain": (20, lambda made: {"worker_id": made.worker}, ("",)),
    "approvals": (20, _nothing, ("",)),
    "approvals-live": (20, _nothing, ("",)),
    "approvals-answered": (20, _nothing, ("",)),
    "approval": (20, lambda made: dict(zip(("run_id", "step_id"), made.asked, strict=True)), ("",)),
    "workflows": (20, _nothing, ("",)),
    "workflow": (30, _workflow, ("",)),
    "workflow-version": (30, lambda made: _workflow(made) | {"version": "1.1.0"}, ("",)),
    "workflow-diff": (20, lambda made: _workflow(made) | {"old": "1.0.0", "new": "1.1.0"}, ("",)),
    "workflow-start": (20, _workflow, ("", "?from={made.run}")),
    "schedule-pause": (20, _schedule, ("",)),
    "schedule-resume": (20, _schedule, ("",)),
    "schedule-run": (20, _schedule, ("",)),
    "schedules": (20, _nothing, ("",)),
    "audit": (20, _nothing, ("",)),
    "audit-live": (20, _nothing, ("",)),
    "audit-verify": (20, _nothing, ("",)),
    "audit-export": (20, _nothing, ("",)),
    "events": (20, _nothing, ("",)),
    "events-live": (20, _nothing, ("",)),
    "event-send": (20, _nothing, ("",)),
    "event": (20, lambda made: {"event_id": made.event}, ("",)),
    "event-replay": (20, lambda made: {"event_id": made.event}, ("",)),
    "deliveries": (20, _nothing, ("",)),
    "delivery": (20, lambda made: {"delivery_id": made.delivery}, ("",)),
    "failures": (25, _nothing, ("",)),
    "failures-live": (20, _nothing, ("",)),
    "failure": (25, _group, ("",)),
    "failure-resolve": (20, _group, ("",)),
    "failure-ignore": (20, _group, ("",)),
    "failure-reopen": (20, _group, ("",)),
    "actions": (20, _nothing, ("",)),
    "action": (25, _action, ("",)),
    "action-version": (25, lambda made: _action(made) | {"version": "1.1.0"}, ("",)),
    "action-diff": (20, lambda made: _action(made) | {"old": "1.0.0", "new": "1.1.0"}, ("",)),
    "action-start": (20, _action, ("",)),
    "notifications": (20, _nothing, ("",)),
    "notification-mute": (20, _nothing, ("?definition=workflow%3A{made.name}",)),
    "notification-unmute": (20, lambda made: {"mute_id": made.mute}, ("",)),
    "notification-resend": (20, lambda made: {"notification_id": made.notification}, ("",)),
    "preferences": (20, _nothing, ("",)),
    "datastore": (20, _nothing, ("", "?namespace={made.name}")),
    "entry": (20, _nothing, (ENTRY,)),
    "entry-new": (20, _nothing, ("",)),
    "entry-delete": (20, _nothing, (ENTRY,)),
    "entry-history": (20, _nothing, (ENTRY,)),
}
NO_PAGES = {"view-save", "view-delete", "workflow-diffs", "action-diffs"}  # they only lead on to others


@pytest.fixture
def made(handlers: None, tmp_path: Path) -> Callable[[str, int], Crowd]:
    return lambda name, count: crowd(name, count, tmp_path)


def test_every_page_that_can_be_read_is_listed() -> None:
    assert {str(pattern.name) for pattern in urlpatterns} == PAGES.keys() | NO_PAGES


@pytest.mark.timeout(300)
def test_no_page_asks_for_more_when_there_is_more(made: Callable[[str, int], Crowd]) -> None:
    client = Client(headers={"host": "localhost"}, raise_request_exception=False)
    user = person("Admin", staff=True)
    user.is_superuser = True
    user.save()
    client.force_login(user)
    few = dict(_count(client, made("few", FEW)))
    many = dict(_count(client, made("many", MANY)))
    assert {name: (few[name], count, f"at most {most}") for name, count, most in _bounded(many)
            if few[name] != count or not isinstance(count, int) or count > most} == {}  # fmt: skip


def _bounded(counts: dict[str, Any]) -> list[tuple[str, Any, int]]:
    return [(name, count, PAGES[name.partition("?")[0]][0]) for name, count in counts.items()]


def _count(client: Client, made: Crowd) -> Iterator[tuple[str, Any]]:
    """Give the number of statements for each page, or what is wrong with the answer."""
    for name, (_, arguments, queries) in PAGES.items():
        for query in queries:
            address = reverse(name, kwargs=arguments(made)) + query.format(made=made)
            client.get(address)  # whatever is remembered by processes is
            with CaptureQueriesContext(connection) as statements:
                response = client.get(address)
                b"".join(getattr(response, "streaming_content", ()))  # an export reads as it is sent
                count = len(statements)
            yield name + query.partition("{")[0], count if response.status_code == 200 else f"{response.status_code}"
