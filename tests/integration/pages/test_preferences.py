"""What a reader chose is kept in the browser and shapes pages, never the API; nonsense is ignored."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from tests.support.pages import Seeded

Reader = Callable[..., Client]
CHOICES = {"timezone": "Asia/Kolkata", "theme": "dark", "refresh": "slow", "shortcuts": "on"}
STAYS = 'data-zone="UTC"'


def test_choices_are_kept_and_shown_again(reader: Reader) -> None:
    client = reader()
    answer = client.post(reverse("preferences"), CHOICES)
    assert (answer.status_code, answer["Location"]) == (303, "/preferences/")
    assert answer.cookies["timezone"]["samesite"] == "Lax"
    page = client.get("/preferences/").content.decode()
    for part in ('data-theme="dark"', 'data-refresh="slow"', 'data-zone="Asia/Kolkata"', "Kept for this browser."):
        assert part in page


def test_no_choice_of_a_zone_takes_the_cookie_away_and_an_empty_box_switches_keys_off(reader: Reader) -> None:
    client = reader()
    client.post("/preferences/", CHOICES)
    client.post("/preferences/", {"timezone": "", "theme": "auto", "refresh": "normal"})
    assert not client.cookies["timezone"].value
    page = client.get("/preferences/").content.decode()
    assert STAYS in page
    assert 'data-shortcuts="off"' in page


def test_the_zone_that_the_browser_names_is_used_until_one_is_chosen(reader: Reader) -> None:
    client = reader()
    client.cookies["zone"] = "Asia/Tokyo"
    page = client.get("/preferences/").content.decode()
    assert 'data-zone="Asia/Tokyo"' in page
    assert '<option value="Asia/Tokyo" selected>' not in page
    client.post("/preferences/", CHOICES)
    page = client.get("/preferences/").content.decode()
    assert 'data-zone="Asia/Kolkata"' in page
    assert '<option value="Asia/Kolkata" selected>' in page


def test_what_is_no_choice_is_refused_all_at_once_and_changes_nothing(reader: Reader) -> None:
    client = reader()
    answer = client.post("/preferences/", {"timezone": "<b>", "theme": "pink", "refresh": "1"})
    assert answer.status_code == 422
    assert not set(answer.cookies) & set(CHOICES)
    page = answer.content.decode()
    for field in ("timezone", "theme", "refresh"):
        assert f'id="{field}-error"' in page


@pytest.mark.parametrize(
    "value", ["../../etc/passwd", "/etc/localtime", "Europe/Nowhere", "x" * 5_000, "Europe/", "\x00", "é", "posix", ""]
)
def test_a_cookie_that_names_no_zone_means_utc(reader: Reader, value: str) -> None:
    client = reader()
    client.cookies["timezone"] = value
    assert STAYS in client.get("/preferences/").content.decode()


@pytest.mark.parametrize(("former", "zone"), [("Asia/Calcutta", "Asia/Kolkata"), ("Europe/Kiev", "Europe/Kyiv")])
def test_a_former_name_of_a_place_is_understood(reader: Reader, former: str, zone: str) -> None:
    client = reader()
    client.cookies["timezone"] = former
    assert f'data-zone="{zone}"' in client.get("/preferences/").content.decode()


def test_times_follow_the_zone_on_pages_and_stay_utc_in_the_api(reader: Reader, runs: Seeded) -> None:
    client = reader()
    plain = client.get(f"/api/v1/runs/{runs.failed}").json()
    page = client.get("/runs/").content.decode()
    client.cookies["timezone"] = "Pacific/Kiritimati"
    assert client.get(f"/api/v1/runs/{runs.failed}").json() == plain
    assert plain["created_at"].endswith("Z")
    assert client.get("/runs/").content.decode() != page


def test_one_reader_never_gets_the_page_of_another_zone_from_a_cache(reader: Reader) -> None:
    answer = reader().get("/preferences/")
    assert "Cookie" in answer["Vary"]
    assert "no-store" in answer["Cache-Control"]
    assert "Cookie" in Client(headers={"host": "localhost"}).get("/nothing/")["Vary"]


def test_a_reader_without_any_role_may_choose_too(reader: Reader) -> None:
    assert reader(None).get("/preferences/").status_code == 200
