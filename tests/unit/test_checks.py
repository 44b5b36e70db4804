"""Wrong settings stop the start with a number; right ones say nothing."""

import base64
from typing import Any

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from dotdo_site import checks

GOOD_KEY = "k1:" + base64.b64encode(b"x" * 32).decode()
GOOD = {
    "SECRET_KEY": "s" * 50,
    "API_KEY_PEPPER": "p" * 50,
    "SECRETS_KEYS": [GOOD_KEY],
    "OUTGOING_ALLOW": ["127.0.0.1:8025", "10.0.0.0/8", "crm.internal:443", "crm.internal", "[::1]:25", "fd00::/8"],
    "PUBLIC_URL": "https://dotdo.example.org:8443",
    "ALLOWED_HOSTS": ["dotdo.example.org"],
    "APPLICATION_ROLE": "dotdo",
}
BAD: list[tuple[str, Any, str]] = [
    ("SECRET_KEY", "", "dotdo.E001"),
    ("API_KEY_PEPPER", "", "dotdo.E001"),
    ("API_KEY_PEPPER", "short", "dotdo.E002"),
    ("SECRETS_KEYS", [], "dotdo.E003"),
    ("SECRETS_KEYS", [GOOD_KEY, GOOD_KEY], "dotdo.E004"),
    ("SECRETS_KEYS", ["k1:dG9vIHNob3J0"], "dotdo.E005"),
    ("SECRETS_KEYS", ["k1:not base64"], "dotdo.E005"),
    ("SECRETS_KEYS", [":" + GOOD_KEY[3:]], "dotdo.E005"),
    ("DATABASES", {"default": {"ENGINE": "django.db.backends.sqlite3"}}, "dotdo.E010"),
    ("DATABASES", {"default": {"ENGINE": "django.db.backends.postgresql", "ATOMIC_REQUESTS": True}}, "dotdo.E011"),
    ("DATABASES", {"default": {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {"pool": "1"}}}, "dotdo.E012"),
    ("APPLICATION_ROLE", "dotdo; DROP ROLE x", "dotdo.E013"),
    ("LISTEN_URL", "10.0.0.5:5432", "dotdo.E014"),
    ("WORKERS", 0, "dotdo.E020"),
    ("LEASE_SECONDS", 0.0, "dotdo.E020"),
    ("TIME_SLICE_SECONDS", float("nan"), "dotdo.E020"),
    ("POLL_SECONDS", -1.0, "dotdo.E020"),
    ("MAX_CRASHES", 0, "dotdo.E020"),
    ("Q_CLUSTER", {"broker_class": "workflows.broker.HintBroker", "scheduler": True}, "dotdo.E021"),
    ("Q_CLUSTER", {"orm": "default", "scheduler": False}, "dotdo.E021"),
    ("PUBLIC_URL", "dotdo.example.com", "dotdo.E023"),
    ("PUBLIC_URL", "https://dotdo.example.com/below", "dotdo.E023"),
    ("OUTGOING_ALLOW", ["http://crm.internal"], "dotdo.E030"),
    ("OUTGOING_ALLOW", ["10.0.0.0/99"], "dotdo.E030"),
    ("OUTGOING_ALLOW", ["crm.internal:0"], "dotdo.E030"),
    ("OUTGOING_ALLOW", ["crm.internal:70000"], "dotdo.E030"),
    ("OUTGOING_ALLOW", ["0.0.0.0/0"], "dotdo.W031"),
    ("ALLOWED_HOSTS", ["*"], "dotdo.E040"),
]


def run_all() -> list[CheckMessage]:
    """Run every check of ours."""
    rules = (checks.check_keys, checks.check_database, checks.check_running, checks.check_production)
    return [message for rule in rules for message in rule()]


@pytest.fixture
def good(settings: Settings) -> Settings:
    """Give settings with which nothing is wrong."""
    for name, value in GOOD.items():
        setattr(settings, name, value)
    return settings


def test_right_settings_say_nothing(good: Settings) -> None:
    assert run_all() == []


@pytest.mark.parametrize(("name", "value", "number"), BAD)
@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_a_wrong_setting_has_a_number_and_a_way_out(good: Settings, name: str, value: Any, number: str) -> None:
    setattr(good, name, value)
    messages = run_all()
    assert {message.id for message in messages} == {number}
    assert all(message.hint for message in messages)


def test_development_mode_behind_https_is_warned_of(good: Settings) -> None:
    good.HTTPS, good.DEVELOPMENT = True, True
    assert [message.id for message in run_all()] == ["dotdo.W041"]


def test_messages_never_repeat_a_secret(good: Settings) -> None:
    good.SECRET_KEY, good.SECRETS_KEYS = "very-secret", ["k1:very-secret"]
    assert "very-secret" not in str(run_all())
