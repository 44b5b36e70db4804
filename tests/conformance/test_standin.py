import pytest

from actions.errors import ActionError
from actions.handlers.guard import GuardedClient
from tests.conformance.standin import Standin


def test_the_two_hosts_lead_to_the_stand_in_and_nowhere_else(standin: Standin) -> None:
    answer = GuardedClient().request("GET", "https://petstore.swagger.io/v2/pet/1")
    assert (answer.status, answer.json()["id"]) == (200, 1)
    assert standin.requests == [("GET", "petstore.swagger.io", "/v2/pet/1")]


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:{port}/", "https://localhost/", "http://petstore.swagger.io/v2/pet/1"]
)
def test_the_guard_stays_in_its_place(standin: Standin, url: str) -> None:
    with pytest.raises(ActionError, match="blocked_address"):
        GuardedClient().request("GET", url.format(port=standin.port))
    assert standin.requests == []
