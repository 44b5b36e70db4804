"""Tampering with the audit trail behind the application's back is found and named."""

from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from tests.support.engine import finished, start_action

pytestmark = pytest.mark.usefixtures("handlers")
BEHIND = "SET session_replication_role = replica; {}; SET session_replication_role = DEFAULT"


def verify() -> str:
    errors = StringIO()
    try:
        call_command("verify_audit", stdout=StringIO(), stderr=errors)
    except CommandError as error:
        return f"{errors.getvalue()}{error}"
    return "whole"


@pytest.mark.parametrize(
    ("tampering", "word"),
    [
        ("UPDATE audit_event SET actor = 'nobody' WHERE kind = 'run.started'", "link 0: the hash does not fit"),
        ("UPDATE audit_event SET data = replace(data, 'test-echo', 'test-ecko') WHERE seq = 1", "link 1"),
        ("DELETE FROM audit_event WHERE seq = 1 AND run IS NOT NULL", "link 2: link 1 is missing"),
        ("DELETE FROM audit_event WHERE seq = 2 AND run IS NOT NULL", "link 2: it is not the last link"),
        ("DELETE FROM audit_event WHERE run IS NOT NULL", "it is not the last link"),
    ],
)
def test_what_a_superuser_did_silently_is_found(
    superuser: "psycopg.Connection[Any]", tampering: str, word: str
) -> None:
    finished(start_action("test-echo", {"value": 1}))
    assert verify() == "whole"
    superuser.execute(BEHIND.format(tampering))
    found = verify()
    assert word in found
    assert "1 of" in found
