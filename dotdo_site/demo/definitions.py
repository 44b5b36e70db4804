"""What is published with the demo: actions made without code, as an admin would make them, and workflows.

Those of the story are written here and in `workflows/`, those of the examples in the folder `examples/`.

Publishing again changes nothing. What an admin published later stays the newest version, with two exceptions: a newer
release of the demo brings its own definitions, and actions that point to ports which the stand-ins have left are
published again with those where they are now.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection, transaction

from actions import publishing, schemas
from actions.contract import Contract
from actions.models import Action, ActionVersion
from actions.registry import version_key
from actions.retry import Retry
from dotdo_site.demo import examples
from workflows import operations
from workflows.language import loader
from workflows.models import WorkflowVersion

LOCK = 6_130_771_403  # one publisher at a time
FIRST = "1.0.0"
WORKFLOWS = Path(__file__).parent / "workflows"
PATHS = ("/crm/", "/payments/", "/warehouse/", "/reports", "/billing/")
RETRY = Retry(max_attempts=5, backoff="exponential", initial="1s", max="10s", jitter=0).as_dict()
NAME = {"type": "string", "title": "Name", "minLength": 1, "maxLength": 200, "examples": ["Ada Lovelace"]}
EMAIL = {"type": "string", "title": "E-mail", "format": "email", "maxLength": 254, "examples": ["ada@example.com"]}
USER = {"type": "string", "title": "User", "minLength": 1, "maxLength": 100, "examples": ["usr_12345"]}


@dataclass(frozen=True, slots=True)
class Wanted:
    """An action as the demo wants it."""

    name: str
    title: str
    description: str
    contract: Contract


def publish(*, actor: str) -> list[str]:
    """Publish what is missing and return the labels (`name:version`). All or nothing. Raises DefinitionInvalid."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        new = [version for wanted in actions() if (version := _publish_action(wanted, actor))]
        labels = list(map(str, new))
        for path in [*sorted(WORKFLOWS.glob("*.yaml")), *examples.workflows()]:
            labels += _publish_workflow(path, {label.partition(":")[0] for label in labels}, actor)
    return labels


def actions() -> list[Wanted]:
    """Return the actions, pointing to where the stand-ins listen now."""
    story = [_charge_card(), _update_crm_record(), _send_welcome_email(), _send_trial_reminder()]
    return [*story, *map(_of_example, examples.actions(_standins()))]


def _charge_card() -> Wanted:
    card = {"type": "string", "title": "Card token", "minLength": 1, "x-sensitive": True, "default": "tok_visa"}
    amount = {"type": "integer", "title": "Amount in cents", "minimum": 1, "maximum": 10_000_000, "default": 4900}
    config = {
        "method": "POST",
        "url": f"{_standins()}/payments/charges",
        "body": {
            "customer": "{{ customer }}",
            "card": "{{ card }}",
            "amount": "{{ amount }}",
            "currency": "eur",
        },
        "errors": {"402": {"code": "card_declined", "retryable": False}},
    }
    given = _object(customer=USER, card=card, amount=amount)
    answer = schemas.normalise({"id": "string", "status": "string", "amount": "integer"}, closed=False)
    words = "Charge a card once: the payment service knows a repeated request by its Idempotency-Key."
    return Wanted("charge-card", "Charge a card", words, _contract("http", config, given, answer))


def _update_crm_record() -> Wanted:
    status = {"type": "string", "title": "Status", "enum": ["lead", "customer", "former"], "default": "customer"}
    config = {
        "method": "PATCH",
        "url": f"{_standins()}/crm/records/{{record}}",
        "body": {"name": "{{ name }}", "email": "{{ email }}", "status": "{{ status }}"},
        "errors": {"423": {"code": "record_locked", "retryable": False}},
    }
    given = _object(record=USER, name=NAME, email=EMAIL, status=status)
    answer = schemas.normalise({"id": "string", "revision": "integer"}, closed=False)
    words = "Bring a customer's record up to date. A locked record is refused: that needs a person, not patience."
    return Wanted("update-crm-record", "Update the CRM record", words, _contract("http", config, given, answer))


def _send_welcome_email() -> Wanted:
    config = {
        "from": "welcome@example.com",
        "to": "{{ email }}",
        "subject": "Welcome, {{ name }}",
        "text": "Dear {{ name }},\n\nyour account is ready.\n",
        "html": "<p>Dear {{ name }},</p><p>your account is ready.</p>",
    }
    words = "Welcome a new user. All attempts carry the same Message-ID."
    return Wanted("send-welcome-email", "Send the welcome e-mail", words, _email(config))


def _send_trial_reminder() -> Wanted:
    config = {
        "from": "welcome@example.com",
        "to": "{{ email }}",
        "subject": "{{ name }}, your trial is nearly over",
        "text": "Dear {{ name }},\n\nyour trial ends soon. Tell us if you would like to stay.\n",
    }
    return Wanted("send-trial-reminder", "Send the trial reminder", "Remind a user of their trial.", _email(config))


def _of_example(entry: dict[str, Any]) -> Wanted:
    contract = _contract(entry["kind"], entry["config"], entry["input"], entry["output"], entry.get("effect", "keyed"))
    return Wanted(entry["name"], entry["title"], entry["description"], contract)


def _email(config: dict[str, Any]) -> Contract:
    answer = schemas.normalise({"message_id": "string", "recipients": "string[]"}, closed=False)
    return _contract("email", config, _object(name=NAME, email=EMAIL), answer)


def _standins() -> str:
    return f"http://127.0.0.1:{settings.DEMO_HTTP_PORT}"


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _contract(
    kind: str, config: dict[str, Any], given: dict[str, Any], answer: dict[str, Any], effect: str = "keyed"
) -> Contract:
    return Contract(
        kind=kind,
        config=config,
        input_schema=given,
        output_schema=answer,
        retry=RETRY,
        timeout_ms=10_000,
        effect=effect,
        transactional=False,
        on_crash="retry",
        queue="default",
    )


def _publish_action(wanted: Wanted, actor: str) -> ActionVersion | None:
    rows = ActionVersion.objects.filter(action__name=wanted.name)
    published = list(rows.filter(state="published").order_by("-published_at"))
    known = any(row.digest == wanted.contract.digest() for row in published)
    if known and not _points_elsewhere(published[0]):
        return None
    contract = wanted.contract
    draft = publishing.create_draft(
        wanted.name,
        contract.kind,
        contract.config,
        contract.input_schema,
        contract.output_schema,
        actor=actor,
        version=_next(rows.values_list("version", flat=True)),
        title="" if Action.objects.filter(name=wanted.name).exists() else wanted.title,
        description="" if Action.objects.filter(name=wanted.name).exists() else wanted.description,
        retry=contract.retry,
        timeout=contract.timeout_ms / 1_000,
        effect=contract.effect,
    )
    return publishing.publish(draft, actor=actor, reason="the demo needs it")


def _points_elsewhere(row: ActionVersion) -> bool:
    """Tell whether a version calls the stand-ins at a port where they no longer are."""
    url = urlsplit(str(row.config.get("url", "")))
    ours = url.hostname == "127.0.0.1" and url.path.startswith(PATHS)
    return ours and url.port != settings.DEMO_HTTP_PORT


def _publish_workflow(path: Path, changed: set[str], actor: str) -> list[str]:
    """Publish a document if it is new, or if one of the definitions that it is locked to has changed."""
    text = path.read_text()
    document = loader.load(text)
    name, version = document["document"]["name"], document["document"]["version"]
    rows = WorkflowVersion.objects.filter(workflow__name=name)
    published = list(rows.filter(state="published").order_by("-published_at"))
    known = any(_content(row.document) == _content(document) for row in published)
    if known and not changed & _locked_names(published[0].lock):
        return []
    number = _next(rows.values_list("version", flat=True))
    text = text.replace(f"version: {version}", f"version: {number}", 1)
    draft = operations.draft_workflow(text, actor=actor)
    operations.publish_workflow(draft.id, actor=actor, reason="the demo needs it")
    if not published and "schedule" in document:
        operations.pause_schedule(name, actor=actor, reason="an example starts nothing by itself")
    return [f"{name}:{number}"]


def _locked_names(lock: dict[str, Any]) -> set[str]:
    """Return the names of the actions and workflows that follow the newest version in a lock."""
    return {key.removeprefix("workflow:").rpartition("/")[2].removesuffix(":latest") for key in lock}


def _content(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "document": {**document["document"], "version": "", "dsl": ""}}


def _next(versions: Any) -> str:
    """Return the number after the highest one, drafts included; the first one is 1.0.0."""
    highest = max(map(version_key, versions), default=None)
    return FIRST if highest is None else ".".join(map(str, (*highest[:2], highest[2] + 1)))
