"""The sign-in link is for this machine: no proxy, no other host name, no other address passes for it."""

from typing import Any

import pytest
from django.test import RequestFactory

from dotdo_site.access import addresses


def request(address: str, **meta: Any) -> bool:
    return addresses.is_loopback(RequestFactory().get("/", REMOTE_ADDR=address, HTTP_HOST="127.0.0.1:8000", **meta))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1"])
def test_this_machine_is_recognised(address: str) -> None:
    assert request(address)


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "192.168.1.5", "8.8.8.8", "::2", "", "unix:", "127.0.0.1.evil.example"]
)
def test_another_machine_is_not(address: str) -> None:
    assert not request(address)


@pytest.mark.parametrize("header", addresses.FORWARDED)
def test_a_proxy_on_this_machine_does_not_make_its_visitors_local(header: str) -> None:
    assert not request("127.0.0.1", **{header: "127.0.0.1"})


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:8000", "[::1]"])
def test_a_local_name_is_accepted(host: str) -> None:
    assert addresses.is_loopback(RequestFactory().get("/", REMOTE_ADDR="127.0.0.1", HTTP_HOST=host))


def test_a_name_that_a_stranger_points_here_is_not_accepted(settings: object) -> None:
    settings.ALLOWED_HOSTS = ["*"]  # type: ignore[attr-defined]
    assert not addresses.is_loopback(RequestFactory().get("/", REMOTE_ADDR="127.0.0.1", HTTP_HOST="evil.example:8000"))


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("nonsense", "unknown"),
    ],
)
def test_an_address_is_counted_as_whoever_owns_it(address: str, counted: str) -> None:
    assert addresses.client(RequestFactory().get("/", REMOTE_ADDR=address)) == counted
