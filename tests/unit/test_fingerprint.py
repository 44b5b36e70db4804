"""Messages as they come from gateways, databases and people: one cause is one group, and no value is kept."""

import time

import pytest

from workflows.grouping.fingerprint import LONGEST, fingerprint, normalised

SAME = [
    ("upstream did not answer in 5 s", "upstream did not answer in 12.5 s", "upstream did not answer in <n> s"),
    ("card declined for order 88213", "card declined for order 9", "card declined for order <n>"),
    (
        "HTTP 422 from crm.example: email ada@example.com is not valid",
        "HTTP 422 from crm.example: email b.o+x@mail.example.org is not valid",
        "HTTP <n> from crm.example: email <email> is not valid",
    ),
    ("SchemaError: $.lines[3].tax is required", "SchemaError: $.lines[17].tax is required", None),
    (
        'duplicate key value violates unique constraint "order_pkey" DETAIL: Key (id)=(81) already exists.',
        'duplicate key value violates unique constraint "order_pkey" DETAIL: Key (id)=(4711) already exists.',
        "duplicate key value violates unique constraint <value> DETAIL: Key (id)=(<n>) already exists.",
    ),
    (
        "run 01a1ff81-40dc-76b2-934e-43c1249440e7 failed",
        "run 0194d4a1-0c7e-7d7b-8a55-6a8f2f3f1b11 failed",
        "run <id> failed",
    ),
    ("no such customer cus_Ab3Xk9", "no such customer cus_99zz", "no such customer <id>"),
    ("[Errno 2] No such file: '/srv/in/2026/a.csv'", "[Errno 13] No such file: '/tmp/b'", None),
    ("cannot open /srv/in/a.csv", "cannot open /var/tmp/x/y.json", "cannot open <path>"),
    ("connection to 10.0.0.7:5432 refused", "connection to 192.168.1.20:6432 refused", None),
    ("expired at 2026-11-21T14:02:11Z", "expired at 2025-01-02 03:04:05.123 +01:00", "expired at <time>"),
    ("GET https://api.example/v1/x?key=secret failed", "GET https://api.example/v2/y failed", "GET <url> failed"),
    ("object at 0x7fa1e27b65b0 is closed", "object at 0x1 is closed", "object at <id> is closed"),
    ("commit 8a9f3c2d1b not found", "commit deadbeef01 not found", "commit <id> not found"),
    ("Kunde „Grace Hopper“ gesperrt", "Kunde „Ada“ gesperrt", "Kunde <value> gesperrt"),
    ("can't find user 'Ada O\\'Neil'", "can't find user 'Bo'", "can't find user <value>"),
    ("line 1\nline 2\tat x", "line 3\n\n  line 44 at x", "line <n> line <n> at x"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "kept"), SAME)
def test_the_same_cause_has_the_same_message(one: str, other: str, kept: str | None) -> None:
    assert normalised(one) == normalised(other)
    if kept is not None:
        assert normalised(one) == kept


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("card declined", "card expired"),
        ("timeout while connecting", "timeout while reading"),
        ("email is not valid", "phone is not valid"),
    ],
)
def test_different_causes_stay_apart(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


def test_what_names_a_person_is_not_kept() -> None:
    said = normalised(
        'Ada\'s card 4242 4242 4242 4242 of "Ada Lovelace" <ada@example.com>, born 1815-12-10, was declined'
    )
    for secret in ("4242", "Lovelace", "example", "1815"):
        assert secret not in said


def test_a_message_of_any_size_costs_little_and_stays_short() -> None:
    began = time.monotonic()
    for text in (
        "9" * 100_000,
        "'" * 100_000,
        "a-" * 50_000,
        "/a" * 50_000,
        ":" * 100_000,
        "a@" * 50_000,
        "x" * 100_000,
    ):
        assert len(normalised(text)) <= LONGEST
    assert time.monotonic() - began < 2


def test_a_normalised_message_stays_as_it_is() -> None:
    for one, _other, _kept in SAME:
        assert normalised(normalised(one)) == normalised(one)


def test_where_it_failed_is_part_of_the_fingerprint() -> None:
    place = ("workflow", "order", "charge", "declined", "card declined")
    alike = {fingerprint(*place)} | {
        fingerprint(*(value + "x" if index == changed else value for index, value in enumerate(place)))
        for changed in range(len(place))
    }
    assert len(alike) == 1 + len(place)
    assert all(len(each) == 32 for each in alike)
