import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import Error as DatabaseError
from django.db import transaction

from actions import action, publishing, registry, secrets, sync
from actions.models import Action, ActionVersion, Connection
from actions.publishing import DefinitionInvalid
from audit.models import AuditEvent

pytestmark = pytest.mark.django_db

HTTP = {"method": "POST", "url": "https://api.example.com/{id}"}


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    registry.forget(["pub-x", "pub-y"])


def register(name: str = "pub-x", version: str = "1.0.0", function: Any = None, **settings: Any) -> None:
    def handler(ctx: object, a: int) -> None: ...

    registry.forget([name])
    action(name, version, **settings)(function or handler)


def synced() -> list[str]:
    return sync.sync([spec for spec in registry.specs() if spec.name.startswith("pub-")], actor="test")


def events(kind: str) -> list[dict[str, Any]]:
    return [json.loads(event.data) for event in AuditEvent.objects.filter(kind=kind).order_by("id")]


def test_a_new_version_is_published_once_and_audited() -> None:
    register(title="Do X", description="It does x.")
    assert synced() == ["pub-x:1.0.0"]
    assert synced() == []
    row = ActionVersion.objects.select_related("action").get(action__name="pub-x")
    assert (row.state, row.action.title, row.action.description) == ("published", "Do X", "It does x.")
    assert row.published_at is not None
    assert row.retry["max_attempts"] == 5
    assert [event["digest"] for event in events("action.published")] == [row.digest]


def test_an_old_version_stays_when_a_new_one_comes() -> None:
    register()
    synced()
    register(version="1.1.0", timeout="5s")
    assert synced() == ["pub-x:1.1.0"]
    assert ActionVersion.objects.filter(action__name="pub-x", state="published").count() == 2


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"timeout": "5s"}, "timeout_ms"),
        ({"effect": "unsafe"}, "effect"),
        ({"transactional": False}, "transactional"),
        ({"on_crash": "park"}, "on_crash"),
        ({"queue": "slow"}, "queue"),
        ({"undo": "pub-x"}, "undo"),
        ({"retry": {"max_attempts": 2}}, "retry"),
        ({"output": {"b": "string"}}, "output_schema"),
    ],
)
def test_a_changed_contract_under_an_old_version_is_refused_and_named(settings: dict[str, Any], named: str) -> None:
    register()
    synced()
    register(**settings)
    with pytest.raises(sync.ContractChanged, match=named) as error:
        synced()
    assert "1.1.0" in str(error.value)


def test_a_refused_sync_does_nothing_at_all() -> None:
    register()
    register("pub-y")
    synced()
    register(timeout="5s")
    register("pub-y", timeout="6s")
    action("pub-y", "2.0.0")(lambda ctx: None)
    with pytest.raises(sync.ContractChanged) as error:
        synced()
    assert len(error.value.problems) == 2
    assert not ActionVersion.objects.filter(version="2.0.0").exists()


def test_a_draft_made_by_hand_is_not_overwritten() -> None:
    publishing.create_draft("pub-x", "http", HTTP, actor="test")
    register()
    with pytest.raises(sync.ContractChanged, match="draft"):
        synced()


def test_words_may_change_without_a_new_version() -> None:
    register(title="Old")
    synced()
    register(title="New")
    assert synced() == []
    assert Action.objects.get(name="pub-x").title == "New"


def test_the_command_publishes_and_fails_loudly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register()
    call_command("sync_actions")
    assert "published pub-x:1.0.0" in capsys.readouterr().out
    register(timeout="1s")
    with pytest.raises(CommandError, match="timeout_ms"):
        call_command("sync_actions")


def test_a_draft_becomes_a_version_with_everything_written_out() -> None:
    draft = publishing.create_draft("pub-x", "http", HTTP, {"id": "string"}, actor="ann", retry={"max_attempts": 2})
    assert draft.state == "draft"
    published = publishing.publish(draft, actor="ann", reason="first")
    assert (published.state, published.transactional) == ("published", False)
    assert published.input_schema["additionalProperties"] is False
    assert published.retry["backoff"] == "exponential"
    assert len(published.digest) == 64
    assert [event["version"] for event in events("action.drafted") + events("action.published")] == ["1.0.0", "1.0.0"]


def test_a_draft_that_could_never_be_published_is_refused_with_every_problem_at_once() -> None:
    with pytest.raises(DefinitionInvalid) as error:
        publishing.create_draft(
            "Pub X",
            "http",
            {"method": "BREW", "url": "http://{host}/x", "zzz": 1},
            {"type": "object", "minLenght": 1},
            {"a": "strin"},
            actor="ann",
            retry={"max_attempts": 0, "backoff": "never", "initial": "1h", "zzz": 1},
            timeout="99d",
            effect="none",
        )
    assert sorted(problem.pointer for problem in error.value.problems) == [
        "/config/method",
        "/config/url",
        "/config/zzz",
        "/effect",
        "/input_schema/minLenght",
        "/name",
        "/output_schema",
        "/retry/backoff",
        "/retry/initial",
        "/retry/max_attempts",
        "/retry/zzz",
        "/timeout",
    ]
    assert not Action.objects.filter(name="Pub X").exists()


def test_publishing_lists_every_problem_at_once() -> None:
    draft = publishing.create_draft("pub-x", "http", HTTP, actor="ann")
    ActionVersion.objects.filter(pk=draft.pk).update(
        config={"method": "BREW", "url": 5},
        input_schema={"type": "object", "minLenght": 1},
        retry={"max": 1},
        transactional=True,
        timeout_ms=0,
    )
    with pytest.raises(DefinitionInvalid) as error:
        publishing.publish(draft, actor="ann")
    assert {problem.pointer for problem in error.value.problems} == {
        "/config/method",
        "/config/url",
        "/input_schema/minLenght",
        "/retry/max",
        "/transactional",
        "/timeout",
    }
    draft.refresh_from_db()
    assert draft.state == "draft"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "Bad Name"}, "/name"),
        ({"kind": "python"}, "/kind"),
        ({"kind": "shell"}, "/kind"),
        ({"version": "1"}, "/version"),
        ({"config": []}, "/config"),
        ({"retry": []}, "/retry"),
        ({"input_schema": []}, "/input_schema"),
        ({"config": {"a": "\x00"}}, "/config/a"),
        ({"input_schema": {"a": "strin"}}, "/input_schema"),
        ({"timeout": "soon"}, "/timeout"),
        ({"effect": "none"}, "/effect"),
        ({"on_crash": "none"}, "/on_crash"),
        ({"queue": "A B"}, "/queue"),
        ({"undo": "A B"}, "/undo"),
        ({"undo": None}, "/undo"),
        ({"title": "x" * 201}, "/title"),
    ],
)
def test_a_draft_with_one_mistake_is_refused_with_its_pointer_only(change: dict[str, Any], pointer: str) -> None:
    given: dict[str, Any] = {"name": "pub-x", "kind": "http", "config": HTTP, "actor": "ann"} | change
    with pytest.raises(DefinitionInvalid) as error:
        publishing.create_draft(**given)
    assert [problem.pointer for problem in error.value.problems] == [pointer]


def test_an_undo_that_is_not_there_keeps_an_action_from_being_published() -> None:
    draft = publishing.create_draft("pub-x", "http", HTTP, actor="ann", undo="pub-y")
    with pytest.raises(DefinitionInvalid, match="no published action of that name") as error:
        publishing.publish(draft, actor="ann")
    assert [problem.pointer for problem in error.value.problems] == ["/undo"]
    publishing.publish(publishing.create_draft("pub-y", "http", HTTP, actor="ann"), actor="ann")
    assert publishing.publish(draft, actor="ann").undo == "pub-y"


def test_code_that_names_an_undo_which_is_not_there_publishes_nothing() -> None:
    register(undo="pub-y")
    with pytest.raises(sync.ContractChanged, match="is undone by 'pub-y'"):
        synced()
    assert not ActionVersion.objects.exists()
    register("pub-y")
    assert synced() == ["pub-x:1.0.0", "pub-y:1.0.0"]
    assert ActionVersion.objects.get(action__name="pub-x").undo == "pub-y"


def test_a_version_number_is_used_once() -> None:
    publishing.create_draft("pub-x", "http", HTTP, actor="ann")
    with pytest.raises(DefinitionInvalid, match="another number"):
        publishing.create_draft("pub-x", "http", HTTP, actor="ann")


def test_what_is_published_cannot_be_published_or_changed_again() -> None:
    row = publishing.publish(publishing.create_draft("pub-x", "http", HTTP, actor="ann"), actor="ann")
    with pytest.raises(DefinitionInvalid, match="published"):
        publishing.publish(row, actor="ann")
    with pytest.raises(DatabaseError), transaction.atomic():
        ActionVersion.objects.filter(pk=row.pk).update(timeout_ms=1)


def test_rotating_moves_every_secret_to_the_current_key(settings: Any) -> None:

    keys = [f"k{n}:" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2)]
    settings.SECRETS_KEYS = keys[:1]
    row = Connection(name="crm", allowed_hosts=["api.example.com"])
    secrets.set_secret(row, "canary-1", actor="ann")
    Connection.objects.create(name="empty")
    settings.SECRETS_KEYS = keys[::-1]
    call_command("rotate_secrets")
    settings.SECRETS_KEYS = keys[1:]
    row.refresh_from_db()
    assert row.ciphertext.startswith("k2$")
    assert secrets.reveal_for(row, "api.example.com") == {"token": "canary-1"}
    assert "canary-1" not in json.dumps(list(AuditEvent.objects.values_list("data", flat=True)))


def test_rotating_changes_nothing_when_one_secret_cannot_be_read() -> None:
    row = Connection(name="crm", allowed_hosts=[])
    secrets.set_secret(row, "canary-1", actor="ann")
    Connection.objects.create(name="swapped", ciphertext=row.ciphertext)
    with pytest.raises(CommandError, match="swapped"):
        call_command("rotate_secrets")
