"""The runs that a first look finds: one that succeeds after an e-mail retry, one that waits, one to be repaired.

Each has an idempotency key, so starting them again gives the same runs back.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from workflows import operations


@dataclass(frozen=True, slots=True)
class FirstRun:
    """A start, and the key that makes it happen once."""

    workflow: str
    key: str
    title: str
    input: dict[str, Any]


FIRST_RUNS = (
    FirstRun(
        "customer-onboarding",
        "demo-first-success",
        "Ada Lovelace signs up; the first two attempts at the e-mail are refused",
        {"userId": "usr_12345", "name": "Ada Lovelace", "email": "ada@example.com", "card": "tok_visa"},
    ),
    FirstRun(
        "trial-reminder",
        "demo-first-waiting",
        "Grace Hopper's trial: waits three days, then reminds her",
        {"name": "Grace Hopper", "email": "grace@example.com", "days": 3},
    ),
    FirstRun(
        "customer-onboarding",
        "demo-first-dead-letter",
        "Alan Turing signs up; his CRM record is locked (press Retry: it is free by now)",
        {"userId": "usr_locked_1", "name": "Alan Turing", "email": "alan@example.com", "card": "tok_visa"},
    ),
)


def start(*, actor: str) -> int:
    """Start those that were not started before and return how many that were."""
    return sum(_start(run, actor) for run in FIRST_RUNS)


def mail_stays_here() -> bool:
    """Tell whether e-mails go to the stand-ins: to any other server, the demo sends nothing by itself."""
    return (settings.EMAIL_HOST, settings.EMAIL_PORT) == ("127.0.0.1", settings.DEMO_SMTP_PORT)


def _start(run: FirstRun, actor: str) -> bool:
    try:
        started = operations.start_workflow(
            run.workflow, run.input, actor=actor, trigger="demo", key=run.key, title=run.title, tags=("demo",)
        )
    except operations.KeyConflict:  # an earlier release started it with other input
        return False
    return started.created
