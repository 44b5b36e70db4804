"""Who may open what: every page, every role; a refusal names what is missing."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from dotdo_site.access.roles import ROLES
from tests.support.pages import Seeded
from workflows.views.urls import urlpatterns

Reader = Callable[..., Client]
ARGUMENTS: dict[str, Any] = {
    "fingerprint": "0" * 32, "batch_id": uuid4(), "view_id": uuid4(),
    "run_id": uuid4(), "queue": "default", "worker_id": uuid4(), "step_id": uuid4(), "name": "broken",
    "part": "input", "mute_id": uuid4(),
    "version": "1.0.0", "old": "1.0.0", "new": "1.0.1",
    "notification_id": uuid4(), "event_id": uuid4(), "delivery_id": uuid4(),
}  # fmt: skip
NEEDED = {
    "overview": "workflows.view_run",
    "overview-live": "workflows.view_run",
    "runs": "workflows.view_run",
    "runs-live": "workflows.view_run",
    "run": "workflows.view_run",
    "run-live": "workflows.view_run",
    "runs-export": "workflows.view_run",
    "view-save": "workflows.view_run",
    "view-delete": "workflows.view_run",
    "search": "",
    "batches": "workflows.view_batch",
    "batch-new": "workflows.change_batch",
    "batch": "workflows.view_batch",
    "batch-live": "workflows.view_batch",
    "batch-stop": "workflows.change_batch",
    "run-raw": "workflows.view_run",
    "run-retry": "workflows.retry_run",
    "run-cancel": "workflows.cancel_run",
    "run-erase": "workflows.erase_run",
    "run-suspend": "workflows.suspend_run",
    "run-resume": "workflows.suspend_run",
    "run-resolve": "workflows.retry_run",
    "run-undo": "workflows.undo_run",
    "run-again": "workflows.start_run",
    "run-reveal": "workflows.view_payload",
    "step-edit": "workflows.retry_run",
    "run-event": "workflows.send_event",
    "step": "workflows.view_run",
    "step-raw": "workflows.view_run",
    "step-skip": "workflows.skip_step",
    "step-fire": "workflows.fire_timer",
    "system": "workflows.view_worker",
    "system-live": "workflows.view_worker",
    "queue-pause": "workflows.change_queue",
    "queue-resume": "workflows.change_queue",
    "worker-drain": "workflows.drain_worker",
    "worker-undrain": "workflows.drain_worker",
    "approvals": "workflows.answer_approval",
    "approval": "workflows.answer_approval",
    "approvals-live": "workflows.answer_approval",
    "approvals-answered": "workflows.answer_approval",
    "workflows": "workflows.view_workflow",
    "workflow": "workflows.view_workflow",
    "workflow-version": "workflows.view_workflow",
    "workflow-diffs": "workflows.view_workflow",
    "workflow-diff": "workflows.view_workflow",
    "workflow-start": "workflows.start_run",
    "schedule-pause": "workflows.change_schedule",
    "schedule-resume": "workflows.change_schedule",
    "schedule-run": "workflows.start_run",
    "schedules": "workflows.view_schedule",
    "audit": "audit.view_auditevent",
    "audit-live": "audit.view_auditevent",
    "audit-verify": "audit.view_auditevent",
    "audit-export": "audit.export_audit",
    "events": "workflows.view_event",
    "events-live": "workflows.view_event",
    "event": "workflows.view_event",
    "event-send": "workflows.send_event",
    "event-replay": "workflows.send_event",
    "deliveries": "workflows.view_delivery",
    "delivery": "workflows.view_delivery",
    "actions": "actions.view_action",
    "action": "actions.view_action",
    "action-version": "actions.view_action",
    "action-diffs": "actions.view_action",
    "action-diff": "actions.view_action",
    "action-start": "workflows.start_run",
    "failures": "workflows.view_failuregroup",
    "failures-live": "workflows.view_failuregroup",
    "failure": "workflows.view_failuregroup",
    "failure-resolve": "workflows.change_failuregroup",
    "failure-ignore": "workflows.change_failuregroup",
    "failure-reopen": "workflows.change_failuregroup",
    "notifications": "workflows.view_notification",
    "notification-mute": "workflows.mute_notification",
    "notification-unmute": "workflows.mute_notification",
    "notification-resend": "workflows.mute_notification",
    "preferences": "",
    "datastore": "workflows.view_entry",
    "entry": "workflows.view_entry",
    "entry-new": "workflows.change_entry",
    "entry-delete": "workflows.change_entry",
    "entry-history": "workflows.view_entry",
}


def address(pattern: URLPattern) -> str:
    names = pattern.pattern.converters
    return reverse(str(pattern.name), kwargs={name: ARGUMENTS[name] for name in names})


def test_every_page_is_in_the_matrix_and_is_guarded_as_it_says() -> None:
    guarded = {pattern.name: getattr(pattern.callback, "permission", None) for pattern in urlpatterns}
    assert guarded == NEEDED


@pytest.mark.parametrize("role", [*ROLES, None])
def test_a_role_opens_just_what_it_may(reader: Reader, handlers: None, role: str | None) -> None:
    client = reader(role)
    allowed = ROLES[role] if role else ()
    for pattern in urlpatterns:
        response = client.get(address(pattern))
        needed = NEEDED[str(pattern.name)]
        assert (response.status_code == 403) == bool(needed and needed not in allowed), (role, pattern.name)


def test_strangers_are_asked_to_sign_in_and_come_back(reader: Reader, database: None) -> None:
    client = Client(headers={"host": "localhost"})
    for pattern in urlpatterns:
        response = client.get(address(pattern))
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in/?next=/"), pattern.name


def test_a_refusal_names_the_permission_and_the_roles_that_have_it(reader: Reader, database: None) -> None:
    page = reader("Viewer").get(address(next(p for p in urlpatterns if p.name == "run-retry"))).content.decode()
    assert "workflows.retry_run" in page
    assert "Operator, Editor, Admin" in page


def test_what_a_reader_may_not_do_leads_nowhere_and_says_which_roles_may(reader: Reader, runs: Seeded) -> None:
    page = reader("Viewer").get(f"/runs/{runs.failed}/").content.decode()
    for words in (f"/runs/{runs.failed}/retry/", "dialog-cancel", f"?from={runs.failed}"):
        assert words not in page
    assert "Roles that do: Operator, Editor, Admin." in page


def test_a_viewer_reads_no_audit_trail_and_writes_no_entry(reader: Reader, runs: Seeded) -> None:
    client = reader("Viewer")
    assert "audit.view_auditevent" in client.get(f"/runs/{runs.failed}/?view=events").content.decode()
    path = "/datastore/entry/?namespace=default&key=usr_1"
    assert client.post(path, {"value": "1", "version": "1"}).status_code == 403


def test_a_post_without_the_csrf_secret_is_refused_with_a_page(reader: Reader, runs: Seeded) -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    client.cookies = reader().cookies
    response = client.post(f"/runs/{runs.failed}/cancel/", {"reason": "x"})
    assert response.status_code == 403
    assert "could not be trusted" in response.content.decode()


def test_answers_are_never_kept_by_a_cache(reader: Reader, runs: Seeded) -> None:
    client = reader()
    for path in ("/", "/runs/", f"/runs/{runs.failed}/"):
        assert "no-store" in client.get(path)["Cache-Control"]
