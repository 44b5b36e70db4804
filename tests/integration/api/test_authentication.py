"""Keys are taken from the header, and nothing about them is let slip."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from dotdo_site.access import keys
from dotdo_site.access.authentication import FAILURES
from dotdo_site.access.models import ApiKey, RateWindow
from dotdo_site.access.rates import Rate
from tests.integration.api.conftest import Caller

pytestmark = pytest.mark.usefixtures("db")
GONE = "dotdo_abcdefgh_" + "x" * 32


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer x", f"Bearer {GONE}", f"bearer {GONE}", "Bearer \x80\xff", f"Bearer {GONE} {GONE}"],
)
def test_a_wrong_key_is_a_401_that_does_not_say_what_is_wrong_with_it(header: str) -> None:
    response = Caller(authorization=header)("GET", "runs")
    assert response.status_code == 401
    assert "unknown, expired, revoked, or cut off" in response.json()["detail"]


def test_a_wrong_key_is_not_made_up_for_by_a_session(signed_in: Callable[[str], Caller]) -> None:
    assert signed_in("Admin")("GET", "runs", authorization=f"Bearer {GONE}").status_code == 401


def test_a_key_in_the_address_is_not_a_key() -> None:
    _, plaintext = keys.issue("x", User.objects.create_superuser("root"), ["read"], actor="cli:test")
    assert Caller()("GET", f"runs?key={plaintext}").status_code == 401


def test_guessing_is_throttled_per_address_but_a_right_key_still_works(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dotdo_site.access.authentication.FAILURES", Rate(3))
    guesser = Caller(authorization=f"Bearer {GONE}")
    statuses = [guesser("GET", "runs").status_code for _ in range(6)]
    assert statuses == [401, 401, 401, 429, 429, 429]
    assert int(guesser("GET", "runs")["Retry-After"]) <= 60
    assert api("GET", "runs").status_code == 200
    assert RateWindow.objects.get(subject="ip:127.0.0.1").used == 4
    assert FAILURES.limit == 30


def test_a_key_is_throttled_by_itself(with_key: Callable[..., Caller], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dotdo_site.access.api.CALLS", Rate(2))
    busy, other = with_key("read"), with_key("read")
    assert [busy("GET", "runs").status_code for _ in range(4)] == [200, 200, 429, 429]
    assert other("GET", "runs").status_code == 200


def test_using_a_key_is_noted(api: Caller) -> None:
    api("GET", "runs")
    assert ApiKey.objects.get().last_used_at is not None


def test_the_key_never_appears_in_the_log(api: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    api("GET", "runs")
    api("GET", "nowhere")
    assert "dotdo_" not in "".join(
        record.getMessage() for record in caplog.records if record.name != "django.db.backends"
    )
