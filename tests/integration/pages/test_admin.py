"""The admin: drafts are edited and published, everything else is read, and no row of a run can be written."""

import json
import re
from collections.abc import Callable

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from actions import secrets
from actions.admin import CONFIG_HELP
from actions.models import ActionVersion, Connection
from audit.models import AuditEvent
from tests.support.documents import HEAD
from tests.support.pages import Seeded, person
from workflows.models import Entry, WorkflowVersion

Reader = Callable[..., Client]
PROTECTED = ["workflows.run", "workflows.step", "workflows.attempt", "workflows.entry", "workflows.worker",
             "workflows.workflow", "actions.action", "audit.auditevent", "admin.logentry"]  # fmt: skip
PUBLISH = {"_publish": "Save and publish", "reason": "reviewed"}
DOCUMENT = HEAD % ("tidy", "1.0.0") + "do:\n  - one: {call: test-echo, with: {value: 1}}\n"


@pytest.fixture
def root(database: None) -> Client:
    user = person("Admin", staff=True)
    user.is_superuser = True
    user.save(update_fields=["is_superuser"])
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


@pytest.mark.parametrize("label", PROTECTED)
def test_nobody_writes_protected_rows_not_even_a_superuser(root: Client, runs: Seeded, label: str) -> None:
    model = apps.get_model(label)
    row = model._default_manager.first()
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    pk = row.pk if row else 1
    for address in (reverse(f"{name}_add"), reverse(f"{name}_change", args=[pk]), reverse(f"{name}_delete", args=[pk])):
        if row is not None or address.endswith("add/"):
            assert root.post(address, {"post": "yes"}).status_code == 403, address


def test_no_model_of_django_q2_is_in_the_admin() -> None:
    models = list(apps.get_app_config("django_q").get_models())
    assert models
    assert not [model for model in models if admin.site.is_registered(model)]


def test_every_list_and_row_of_the_admin_can_be_read(root: Client, runs: Seeded) -> None:
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert root.get(reverse(f"{name}_changelist")).status_code == 200, name
        row = model._default_manager.first()
        if row is not None:
            page = root.get(reverse(f"{name}_change", args=[row.pk]))
            assert page.status_code == 200, name
            assert "hunter2" not in page.content.decode()


def test_an_editor_drafts_edits_and_publishes_a_workflow_which_then_never_changes(
    reader: Reader, handlers: None
) -> None:
    client = reader("Editor", staff=True)
    add = reverse("admin:workflows_workflowversion_add")
    assert "my-workflow" in client.get(add).content.decode()
    assert client.post(add, {"source": DOCUMENT}).status_code == 302
    draft = WorkflowVersion.objects.get()
    change = reverse("admin:workflows_workflowversion_change", args=[draft.pk])
    edited = DOCUMENT.replace("value: 1", "value: 2")
    assert client.post(change, {"source": edited}).status_code == 302
    assert WorkflowVersion.objects.get().source == edited
    client.post(change, {"source": edited, **PUBLISH})
    assert WorkflowVersion.objects.get().state == "published"
    assert client.post(change, {"source": DOCUMENT}).status_code == 403
    page = client.get(change).content.decode()
    assert "New draft from this version" in page
    assert "<textarea" not in page
    assert "value: 2" in client.get(f"{add}?from={draft.pk}").content.decode()
    assert list(AuditEvent.objects.filter(kind__startswith="workflow.").values_list("kind", "actor")) == [
        *[("workflow.drafted", "user:editor")] * 3,
        ("workflow.published", "user:editor"),
    ]
    assert AuditEvent.objects.get(kind="workflow.published").reason == "reviewed"


def test_publishing_publishes_what_is_typed_and_not_what_was_saved_before(reader: Reader, handlers: None) -> None:
    client = reader("Editor", staff=True)
    client.post(reverse("admin:workflows_workflowversion_add"), {"source": DOCUMENT})
    change = reverse("admin:workflows_workflowversion_change", args=[WorkflowVersion.objects.get().pk])
    assert 'name="_publish"' in client.get(change).content.decode()
    typed = DOCUMENT.replace("value: 1", "value: 2")
    assert client.post(change, {"source": typed, **PUBLISH}).status_code == 302
    version = WorkflowVersion.objects.get()
    assert (version.state, version.source) == ("published", typed)
    shown = client.get(change).content.decode()
    assert "New draft from this version" in shown
    assert 'name="_publish"' not in shown


def test_publishing_text_with_problems_or_without_a_reason_neither_saves_nor_publishes(
    reader: Reader, handlers: None
) -> None:
    client = reader("Editor", staff=True)
    add = reverse("admin:workflows_workflowversion_add")
    client.post(add, {"source": DOCUMENT})
    change = reverse("admin:workflows_workflowversion_change", args=[WorkflowVersion.objects.get().pk])
    typed = DOCUMENT.replace("value: 1", "value: 2")
    for form in ({**PUBLISH, "source": typed, "reason": "  "}, {**PUBLISH, "source": typed.replace("echo", "ecko")}):
        page = client.post(change, form)
        assert page.status_code == 200
        assert "value: 2" in page.content.decode()
        version = WorkflowVersion.objects.get()
        assert (version.state, version.source) == ("draft", DOCUMENT)
    assert not AuditEvent.objects.filter(kind="workflow.published").exists()


def test_an_action_that_cannot_be_published_is_not_saved_either(reader: Reader, database: None) -> None:
    client = reader("Editor", staff=True)
    client.post(reverse("admin:actions_actionversion_add"), action_form())
    change = reverse("admin:actions_actionversion_change", args=[ActionVersion.objects.get().pk])
    page = client.post(change, action_form(timeout="5s", config='{"method": "BREW"}', **PUBLISH))
    assert page.status_code == 200
    assert "errorlist" in page.content.decode()
    draft = ActionVersion.objects.get()
    assert (draft.state, draft.timeout_ms) == ("draft", 30_000)


def test_a_document_with_problems_keeps_its_text_and_names_each_place(reader: Reader, handlers: None) -> None:
    bad = DOCUMENT.replace("test-echo", "test-ecko")
    response = reader("Editor", staff=True).post(reverse("admin:workflows_workflowversion_add"), {"source": bad})
    page = response.content.decode()
    assert response.status_code == 200
    assert "/do/0/one" in page
    assert "test-ecko" in page
    assert not WorkflowVersion.objects.exists()


def test_text_under_a_published_number_is_refused_and_kept(reader: Reader, handlers: None) -> None:
    client = reader("Editor", staff=True)
    add = reverse("admin:workflows_workflowversion_add")
    client.post(add, {"source": DOCUMENT})
    change = reverse("admin:workflows_workflowversion_change", args=[WorkflowVersion.objects.get().pk])
    client.post(change, {"source": DOCUMENT, **PUBLISH})
    page = client.post(add, {"source": DOCUMENT.replace("value: 1", "value: 3")}).content.decode()
    assert "never changes" in page
    assert "value: 3" in page


def test_publishing_needs_its_own_permission(reader: Reader, handlers: None) -> None:
    client = reader("Editor", staff=True)
    client.post(reverse("admin:workflows_workflowversion_add"), {"source": DOCUMENT})
    address = reverse("admin:workflows_workflowversion_change", args=[WorkflowVersion.objects.get().pk])
    assert reader("Operator", staff=True).post(address, {"source": DOCUMENT, **PUBLISH}).status_code == 403
    Group.objects.get(name="Editor").permissions.remove(Permission.objects.get(codename="publish_workflow"))
    try:
        fresh = reader("Editor", staff=True)
        assert 'name="_publish"' not in fresh.get(address).content.decode()
        assert fresh.post(address, {"source": DOCUMENT, **PUBLISH}).status_code == 403
    finally:
        Group.objects.get(name="Editor").permissions.add(Permission.objects.get(codename="publish_workflow"))
    assert WorkflowVersion.objects.get().state == "draft"


def action_form(**changes: str) -> dict[str, str]:
    return {
        "name": "charge-card", "version": "1.0.0", "title": "", "description": "", "kind": "http",
        "config": '{"method": "POST", "url": "https://payments.example.com/charges"}',
        "input_schema": '{"amount": "number"}', "output_schema": "", "retry": "", "timeout": "30s", "effect": "keyed",
        "on_crash": "retry", "queue": "default", "undo": "", **changes,
    }  # fmt: skip


def test_an_editor_drafts_edits_and_publishes_an_action(reader: Reader, database: None) -> None:
    client = reader("Editor", staff=True)
    add = reverse("admin:actions_actionversion_add")
    response = client.post(add, action_form())
    assert response.status_code == 302, response.content.decode()
    draft = ActionVersion.objects.get()
    change = reverse("admin:actions_actionversion_change", args=[draft.pk])
    response = client.post(change, action_form(timeout="5s"))
    assert response.status_code == 302, response.content.decode()
    assert ActionVersion.objects.get().timeout_ms == 5_000
    client.post(change, action_form(timeout="7s", **PUBLISH))
    published = ActionVersion.objects.get()
    assert (published.state, published.timeout_ms) == ("published", 7_000)
    assert AuditEvent.objects.get(kind="action.published").reason == "reviewed"
    assert client.post(change, action_form()).status_code == 403
    assert "charges" in client.get(change).content.decode()
    assert "charges" in client.get(f"{add}?from={draft.pk}").content.decode()


def test_a_bad_action_says_what_is_wrong_at_its_field(reader: Reader, database: None) -> None:
    client = reader("Editor", staff=True)
    add = reverse("admin:actions_actionversion_add")
    for changes in (
        {"config": "{"},
        {"config": '{"a": 1, "a": 2}'},
        {"name": "Not A Name"},
        {"timeout": "soon"},
        {"config": "[]"},
    ):
        response = client.post(add, action_form(**changes))
        assert response.status_code == 200, changes
        assert "errorlist" in response.content.decode()
    assert not ActionVersion.objects.exists()


def test_a_secret_goes_in_and_never_comes_out(reader: Reader, database: None) -> None:
    client = reader("Admin", staff=True)
    add = reverse("admin:actions_connection_add")
    form = {"name": "payments", "description": "", "allowed_hosts": '["api.example.com"]', "secret": "s3cret-token"}
    response = client.post(add, form)
    assert response.status_code == 302, response.content.decode()
    connection = Connection.objects.get()
    assert "s3cret" not in connection.ciphertext
    assert secrets.reveal_for(connection, "api.example.com") == {"token": "s3cret-token"}
    change = reverse("admin:actions_connection_change", args=[connection.pk])
    assert "s3cret" not in client.get(change).content.decode()
    wider = client.post(change, {**form, "allowed_hosts": '["evil.example.com"]', "secret": ""})
    assert wider.status_code == 200
    assert Connection.objects.get().allowed_hosts == ["api.example.com"]
    assert not AuditEvent.objects.filter(data__contains="s3cret").exists()


def test_an_entry_of_the_datastore_shows_no_value_in_the_admin(root: Client, runs: Seeded) -> None:
    entry = Entry.objects.get(key="usr_1")
    assert "email_sent" not in root.get(reverse("admin:workflows_entry_change", args=[entry.pk])).content.decode()


def test_the_action_form_explains_its_json_and_never_begins_with_null(reader: Reader, database: None) -> None:
    client = reader("Editor", staff=True)
    page = client.get(reverse("admin:actions_actionversion_add")).content.decode()
    assert ">\nnull" not in page
    assert page.count(">\n{}</textarea>") == 5
    assert "https://api.example.com/users/{id}" in page
    form = action_form(config='{"method": "PUT", "url": "https://a.example.com/{id}"}', input_schema='{"id": "string"}')
    client.post(reverse("admin:actions_actionversion_add"), {**form, **PUBLISH})
    assert ActionVersion.objects.get().state == "published"


def test_the_example_of_the_config_help_can_be_published(reader: Reader, database: None) -> None:
    secrets.set_secret(Connection(name="crm", allowed_hosts=["api.example.com"]), "s3cret-token", actor="user:test")
    decoder = json.JSONDecoder()
    for kind, schema in (("http", '{"id": "string"}'), ("email", '{"email": "string", "name": "string"}')):
        example, _ = decoder.raw_decode(CONFIG_HELP, CONFIG_HELP.index("{", CONFIG_HELP.index(f"{kind}: ")))
        form = action_form(name=f"send-{kind}", kind=kind, config=json.dumps(example), input_schema=schema)
        response = reader("Editor", staff=True).post(reverse("admin:actions_actionversion_add"), {**form, **PUBLISH})
        assert response.status_code == 302, response.content.decode()


def test_the_index_of_the_admin_has_our_words_and_no_plumbing(root: Client, runs: Seeded) -> None:
    page = root.get(reverse("admin:index")).content.decode()
    for words in ("Api keys", "Axes", "Access failures", "Access attempts", "Log entries"):
        assert words not in page
    assert "API keys" in page


def test_times_in_the_admin_look_as_on_the_pages(root: Client, runs: Seeded) -> None:
    page = root.get(reverse("admin:workflows_run_changelist")).content.decode()
    assert re.search(r"\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d:\d\d", page)
    assert "a.m." not in page
    assert "p.m." not in page


def test_a_publication_without_a_reason_also_names_what_is_wrong_with_the_document(
    reader: Reader, handlers: None
) -> None:
    typed = DOCUMENT.replace("test-echo", "test-ecko")
    add = reverse("admin:workflows_workflowversion_add")
    page = reader("Editor", staff=True).post(add, {**PUBLISH, "source": typed, "reason": ""}).content.decode()
    assert "Say why it is published" in page
    assert "there is no action `test-ecko`" in page
    assert not WorkflowVersion.objects.exists()
