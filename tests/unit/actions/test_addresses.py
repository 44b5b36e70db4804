import ipaddress

import pytest

from actions.handlers import addresses


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "100::1",
        "5f00::1",
    ],
)
def test_no_inner_address_passes_as_public(text: str) -> None:
    assert not addresses.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101", "172.32.0.1"])
def test_public_addresses_are_reached(text: str) -> None:
    assert addresses.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("entry", "host", "address", "port", "allowed"),
    [
        ("127.0.0.1:8025", "x", "127.0.0.1", 8025, True),
        ("127.0.0.1:8025", "x", "127.0.0.1", 8026, False),
        ("127.0.0.1:8025", "x", "127.0.0.2", 8025, False),
        ("127.0.0.1:8025", "x", "::ffff:127.0.0.1", 8025, True),
        ("10.0.0.0/8", "x", "10.9.9.9", 1, True),
        ("10.0.0.0/8", "x", "11.0.0.1", 1, False),
        ("crm.internal", "crm.internal", "10.0.0.1", 99, True),
        ("crm.internal:80", "crm.internal", "10.0.0.1", 81, False),
        ("crm.internal", "evil.crm.internal", "10.0.0.1", 80, False),
        ("[::1]:8025", "x", "::1", 8025, True),
        ("::1", "x", "::1", 5, True),
        ("fd00::/8", "x", "fd12::1", 5, True),
        ("CRM.Internal.", "crm.internal", "10.0.0.1", 99, True),
    ],
)
def test_the_allow_list_covers_what_it_names_and_no_more(
    entry: str, host: str, address: str, port: int, allowed: bool
) -> None:
    found = addresses.is_allowed([addresses.parse(entry)], host, ipaddress.ip_address(address), port)
    assert found is allowed


@pytest.mark.parametrize("entry", ["", ":80", "10.0.0.0/33", "10.0.0.1/8", "host:port", "host:0", "1.2.3", "a:b:c"])
def test_an_entry_that_means_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        addresses.parse(entry)
