"""What docs/notifications.md says is what the code does."""

from actions import notify as of_actions
from tests.integration.docs.blocks import code, rows, table, text_of
from workflows.language.checks import notify as of_workflows
from workflows.models.notifications import NOTIFICATION_STATES
from workflows.notifications import matching, recipients, watching
from workflows.notifications.channels import WEBHOOK_SECONDS
from workflows.notifications.kinds import KINDS
from workflows.notifications.retrying import WAITS

PAGE = "docs/notifications.md"


def test_the_kinds_are_listed_with_who_may_ask_for_them() -> None:
    listed = {code(kind)[0]: where for kind, _, where in rows(PAGE, "What is told")}
    assert listed.keys() == KINDS.keys()
    for kind, where in listed.items():
        everywhere = where == "all three"
        assert ("workflow" in where or everywhere) == (kind in of_workflows.ON), kind
        assert ("action" in where or everywhere) == (kind in of_actions.ON), kind


def test_the_states_of_a_message_are_listed() -> None:
    assert {code(state)[0]: meaning for state, (meaning,) in table(PAGE, "state").items()} == NOTIFICATION_STATES


def test_the_times_are_those_of_the_code() -> None:
    said = " ".join(text_of(PAGE).split())
    shown = [f"{wait / 3600:.0f} h" if wait >= 3600 else f"{wait / 60:.0f} min" if wait >= 60 else f"{wait:.0f} s"
             for wait in WAITS]  # fmt: skip
    assert f"after {', '.join(shown[:-1])} and {shown[-1]}" in said
    assert f"An attempt takes {WEBHOOK_SECONDS:.0f} s at most" in said
    assert f"Messages are grouped for {recipients.GROUP_SECONDS // 60} minutes" in said
    assert f"kept for {watching.KEPT_DAYS} days" in said
    assert matching.CHILD_SECONDS == 60
    assert "has a minute to do so" in said
