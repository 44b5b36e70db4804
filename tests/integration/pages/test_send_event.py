"""The form that sends an event to a run."""

from collections.abc import Callable

import pytest
from django.test import Client

from tests.support import rows
from workflows.views.run_commands import NO_REASON

Reader = Callable[..., Client]
pytestmark = pytest.mark.usefixtures("handlers")


def test_everything_that_is_wrong_with_an_event_is_said_at_once(reader: Reader) -> None:
    run = rows.run("waiting", "event")
    answer = reader().post(f"/runs/{run.id}/event/", {"id": "form-1", "type": " ", "data": "{", "reason": ""})
    page = answer.content.decode()
    assert answer.status_code == 422
    for said in ("/type must be a text that is not empty", "Data: ", NO_REASON):
        assert f"<p>{said}" in page
