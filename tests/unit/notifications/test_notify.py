"""`notify` of an action and of a workflow: what is said twice must mean the same."""

from typing import Any

import pytest

from actions import Notify, action, registry
from actions import notify as of_actions
from actions.contract import Contract
from actions.registry import RegistrationError
from dotdo_site.lib import canonical
from workflows.language.checks import notify as of_workflows
from workflows.language.checks.report import Report
from workflows.notifications.kinds import KINDS

HOOK = {"webhook": "https://example.com/x", "connection": "hooks"}
GOOD: list[dict[str, Any]] = [
    {"email": "ops@example.com"},
    {"email": ["ops@example.com", "a.b+c@sub.example.org"]},
    HOOK,
    {"on": ["dead_letter"], "email": ["ops@example.com"], **HOOK},
    {"email": "ops@localhost"},
    {**HOOK, "webhook": "https://example.com:8443/x?y=%20"},
    {**HOOK, "connection": "h" * 63},
]
BAD: list[Any] = [
    [],
    "ops@example.com",
    {"on": ["dead_letter"]},
    {"email": []},
    {"email": ["nobody"]},
    {"email": [1]},
    {"email": {"to": "x"}},
    {"email": "a@example.com, b@example.com"},
    {"email": "ops@example.com\nBcc: x@example.com"},
    {"email": ["ops@example.com"] * 21},
    {"email": "ops@example.com", "on": []},
    {"email": "ops@example.com", "on": "dead_letter"},
    {"email": "ops@example.com", "on": ["queue_age"]},
    {"email": "ops@example.com", "too": "x"},
    {"webhook": "https://example.com/x"},
    {"email": "ops@example.com", "connection": "hooks"},
    {**HOOK, "webhook": "ftp://example.com/x"},
    {**HOOK, "webhook": "https://user:secret@example.com/x"},
    {**HOOK, "webhook": "/relative"},
    {**HOOK, "webhook": 5},
    {**HOOK, "connection": 5},
    {**HOOK, "connection": "h" * 64},
    {**HOOK, "connection": "Hooks of ours"},
    {**HOOK, "connection": "hooks\n"},
    *({**HOOK, "webhook": f"https://example.com/x{end}"} for end in ("\n", "\t", "\x00", " ", "\x7f", "é")),
    {**HOOK, "webhook": "https://example.com:port/x"},
    {**HOOK, "webhook": "https://example.com:99999/x"},
    {"email": "ops@example.com\n"},
    {"email": '"ops"@example.com'},
    {"email": "ops@[127.0.0.1]"},
    {"email": "ops@example.1"},
    {"email": "o" * 250 + "@example.com"},
]


def problems_of_workflow(value: Any) -> list[Any]:
    make: Any = Report
    report = make({}, None, None, None, None)
    of_workflows.check_notify(report, value, "")
    return list(report.problems)


@pytest.mark.parametrize("value", GOOD)
def test_both_take_what_is_right(value: dict[str, Any]) -> None:
    assert list(of_actions.problems(value)) == []
    assert problems_of_workflow(value) == []


@pytest.mark.parametrize("value", BAD)
def test_both_refuse_what_is_wrong(value: Any) -> None:
    assert list(of_actions.problems(value))
    assert problems_of_workflow(value)


def test_both_mean_the_same_by_an_address() -> None:
    assert of_actions.ADDRESS == of_workflows.ADDRESS
    assert of_actions.CONNECTION == of_workflows.CONNECTION
    assert of_actions.VISIBLE == of_workflows.VISIBLE
    assert of_actions.LONGEST_URL == of_workflows.LONGEST_URL
    assert of_actions.LONGEST_ADDRESS == of_workflows.LONGEST_ADDRESS


def test_the_kinds_are_those_that_are_told() -> None:
    assert of_actions.DEFAULT_ON == of_workflows.DEFAULT_ON
    assert {*of_actions.ON, *of_workflows.ON} <= KINDS.keys()


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ({"on": ["waiting_too_long"], "email": "a@example.com"}, True),
        ({"on": ["waiting_too_long"], "email": "a@example.com", "after": "PT4H"}, False),
        ({"on": ["waiting_too_long"], "email": "a@example.com", "after": {"days": 1}}, False),
        ({"on": ["waiting_too_long"], "email": "a@example.com", "after": "soon"}, True),
        ({"on": ["dead_letter"], "email": "a@example.com", "after": "PT4H"}, True),
    ],
)
def test_a_wait_that_is_too_long_needs_its_length_and_nothing_else_does(value: Any, wrong: bool) -> None:
    assert bool(problems_of_workflow(value)) == wrong


def test_an_action_keeps_whom_it_tells_in_its_contract_written_out() -> None:
    try:
        action("tells", notify=Notify(email="ops@example.com"))(_handler)
        contract = next(spec.contract for spec in registry.specs() if spec.name == "tells")
    finally:
        registry.forget(["tells"])
    assert contract.notify == {"on": ["dead_letter", "undo_failed"], "email": ["ops@example.com"]}


def test_an_action_that_tells_nobody_has_the_digest_that_it_always_had() -> None:
    values: dict[str, Any] = {
        "kind": "http", "config": {}, "input_schema": {}, "output_schema": {}, "retry": {}, "timeout_ms": 1,
        "effect": "pure", "transactional": False, "on_crash": "retry", "queue": "default",
    }  # fmt: skip
    assert Contract(**values).digest() == canonical.digest(values)
    assert Contract(**values).digest() != Contract(**values, notify={"email": ["a@example.com"]}).digest()


def test_a_registration_that_tells_nobody_anything_is_refused_with_the_place() -> None:
    with pytest.raises(RegistrationError, match="notify names nobody"):
        action("tells", notify={"on": ["dead_letter"]})(_handler)


def _handler(ctx: Any) -> None:
    """Do nothing."""
