"""What a newcomer finds on the first page, and does there by hand."""

import html
import re
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from actions import publishing
from actions.models import ActionVersion
from tests.integration.demo.conftest import Site, free_port
from tests.support.cluster import sql, until
from tests.support.engine import shown, state
from workflows.models import Entry, Run, Schedule, WorkflowVersion

ENTRY = {"userId": "usr_locked_1", "status": "email_sent", "welcomeEmailSent": True, "profileSetup": False}


@pytest.fixture
def operator(database: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def first(key: str) -> UUID:
    return Run.objects.values_list("id", flat=True).get(key=f"demo-first-{key}")


def attempts(run_id: UUID) -> dict[str, int]:
    return {step.name: step.attempt for step in shown(run_id).steps if step.kind == "call"}


def test_the_first_page_shows_life_and_the_retry_button_alone_repairs_the_dead_letter(
    site: Site, operator: Client
) -> None:
    assert site.manage("demo_first_runs").returncode == 0
    with site.workers():
        until(lambda: state(first("success")) == "succeeded", 40, "the first success")
        until(lambda: shown(first("waiting")).label == "waiting", 10, "the wait")
        until(lambda: shown(first("dead-letter")).label == "dead_letter", 40, "the dead letter")
        parked = shown(first("dead-letter"))
        assert "is locked by an import" in parked.now
        assert [name for name, number in attempts(first("success")).items() if number > 1] == ["send-welcome-email"]
        before = attempts(parked.id)
        answer = operator.post(reverse("run-retry", args=[parked.id]), {"reason": "the import has ended"})
        assert answer.status_code in {302, 303}
        until(lambda: state(parked.id) == "succeeded", 10, "the repair")
    after = attempts(parked.id)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "update-crm-record": 1
    }
    for user in ("usr_12345", "usr_locked_1"):
        assert [charge["asked"] for charge in site.world.charges(user)] == [1]
    assert Entry.objects.get(namespace="users", key="usr_locked_1").value == ENTRY
    assert sql("SELECT count(*) FROM demo_user") == [(2,)]
    assert "tok_visa" not in str(sql("SELECT data FROM audit_event"))


def test_starting_dotdo_again_starts_and_publishes_nothing_twice(site: Site) -> None:
    for _ in range(2):
        done = site.manage("demo_first_runs")
        assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert Run.objects.count() == 3
    assert set(WorkflowVersion.objects.values_list("version", flat=True)) == {"1.0.0"}
    assert set(Schedule.objects.values_list("workflow__name", "state")) == {("nightly-invoices", "paused")}


def test_stand_ins_that_moved_to_another_port_are_followed_and_an_admins_edit_is_kept(site: Site) -> None:
    site.manage("demo_first_runs")
    mail = ActionVersion.objects.select_related("action").get(action__name="send-welcome-email")
    edited = publishing.create_draft(
        mail.action.name,
        "email",
        {**mail.config, "subject": "Hello"},
        mail.input_schema,
        actor="user:admin",
        version="1.1.0",
    )
    publishing.publish(edited, actor="user:admin")
    site.environment["DOTDO_DEMO_HTTP_PORT"] = str(free_port())
    said = site.manage("demo_first_runs").stdout.split()
    assert {"charge-card:1.0.1", "update-crm-record:1.0.1", "customer-onboarding:1.0.1"} < set(said)
    newest = ActionVersion.objects.filter(action__name="send-welcome-email").order_by("-published_at")[0]
    assert newest.version == "1.1.0"
    lock = WorkflowVersion.objects.get(workflow__name="customer-onboarding", version="1.0.1").lock
    assert lock["charge-card"] == "charge-card:1.0.1"
    batch = WorkflowVersion.objects.get(workflow__name="nightly-invoices", version="1.0.1").lock
    assert batch["workflow:examples/invoice-customer:latest"] == "1.0.1"
    assert Schedule.objects.get().state == "paused"
    assert site.manage("demo_first_runs").stdout == ""


def test_without_the_sink_no_mail_is_sent_to_a_real_server(site: Site) -> None:
    site.environment["DOTDO_SMTP_HOST"] = "mail.example.com"
    done = site.manage("demo_first_runs")
    assert "mail server of yours" in done.stdout
    assert not Run.objects.exists()


def test_a_start_from_the_page_as_the_form_proposes_it_succeeds(site: Site, operator: Client) -> None:
    site.manage("demo_first_runs")
    address = reverse("workflow-start", args=["customer-onboarding"])
    proposed = re.findall(r'name="(/[^"]*)" value="([^"]*)"', operator.get(address).content.decode())
    fields = {name: html.unescape(value) for name, value in proposed}
    assert set(fields) == {"/userId", "/name", "/email", "/card"}
    answer = operator.post(address, {**fields, "do": "start", "tab": "form"})
    assert answer.status_code in {302, 303}, answer.content
    run_id = UUID(answer.headers["Location"].strip("/").rpartition("/")[2])
    with site.workers():
        until(lambda: state(run_id) == "succeeded", 40, "the run")


def test_the_demos_migration_is_complete(site: Site) -> None:
    assert site.manage("makemigrations", "demo", "--check", "--dry-run").returncode == 0
