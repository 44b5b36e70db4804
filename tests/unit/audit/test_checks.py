"""Wrong audit settings stop the start with a number; right ones say nothing."""

import base64
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from audit.checks import check_audit

GOOD = {
    "AUDIT_SIGNING_KEY": base64.b64encode(bytes(32)).decode(),
    "AUDIT_SEAL_SECONDS": 3600.0,
    "AUDIT_DAYS": 0,
    "AUDIT_ANCHOR_FILE": "/srv/anchor.ndjson",
    "AUDIT_ANCHOR_URL": "https://anchors.example.com/dotdo",
}
BAD: list[tuple[str, Any, set[str]]] = [
    ("AUDIT_SIGNING_KEY", "", {"dotdo.W051", "dotdo.E056"}),
    ("AUDIT_SIGNING_KEY", "short", {"dotdo.E050"}),
    ("AUDIT_SIGNING_KEY", "dG9vIHNob3J0", {"dotdo.E050"}),
    ("AUDIT_SEAL_SECONDS", 0.0, {"dotdo.E052"}),
    ("AUDIT_SEAL_SECONDS", float("nan"), {"dotdo.E052"}),
    ("AUDIT_DAYS", -1, {"dotdo.E053"}),
    ("AUDIT_ANCHOR_FILE", "anchor.ndjson", {"dotdo.E054"}),
    ("AUDIT_ANCHOR_FILE", "/", {"dotdo.E054"}),
    ("AUDIT_ANCHOR_URL", "anchors.example.com", {"dotdo.E055"}),
    ("AUDIT_ANCHOR_URL", "ftp://anchors.example.com", {"dotdo.E055"}),
    ("AUDIT_ANCHOR_URL", "https://[", {"dotdo.E055"}),
]


@pytest.fixture
def good(settings: Settings) -> Settings:
    """Give settings with which nothing is wrong."""
    for name, value in GOOD.items():
        setattr(settings, name, value)
    return settings


def test_right_settings_say_nothing(good: Settings, tmp_path: Path) -> None:
    assert check_audit() == []


@pytest.mark.parametrize(("name", "value", "numbers"), BAD)
def test_a_wrong_setting_has_a_number_and_a_way_out(good: Settings, name: str, value: Any, numbers: set[str]) -> None:
    setattr(good, name, value)
    messages = check_audit()
    assert {message.id for message in messages} == numbers
    assert all(message.hint for message in messages)


def test_messages_never_repeat_what_may_be_secret(good: Settings) -> None:
    good.AUDIT_SIGNING_KEY, good.AUDIT_ANCHOR_URL = "very-secret", "ftp://very-secret"
    assert "very-secret" not in str(check_audit())
