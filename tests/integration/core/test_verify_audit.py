"""Tampering with the audit trail behind the application's back is found and named."""

from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from tests.support.documents import publish
from tests.support.engine import finished, start_action, start_workflow
from workflows.models import Branch

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
    assert "1 finding" in found


FORK = "do: [{both: {fork: {branches: [{left: {call: test-echo}}, {right: {call: test-echo}}]}}}]"


def test_a_branch_whose_end_was_rewritten_is_found_by_the_chain_behind_its_fork(
    superuser: "psycopg.Connection[Any]",
) -> None:
    run_id = start_workflow(publish("forked", FORK), {})
    assert finished(run_id).state == "succeeded"
    assert verify() == "whole"
    branch = Branch.objects.filter(run=run_id, parent__isnull=False).order_by("id").first()
    assert branch is not None
    last = branch.audit_seq
    # Whoever owns the database cuts the last link off, and the branch's own note of it as well.
    cut = (
        f"DELETE FROM audit_event WHERE chain = '{branch.id}' AND seq = {last}",
        (
            f"UPDATE branch SET audit_seq = {last - 1}, audit_head = (SELECT hash FROM audit_event "
            f"WHERE chain = '{branch.id}' AND seq = {last - 1}) WHERE id = '{branch.id}'"
        ),
    )
    superuser.execute(BEHIND.format("; ".join(cut)))
    assert f"chain {branch.id}, link {last}: it is not the link that the chain behind its fork vouches for" in verify()
