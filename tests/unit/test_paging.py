"""A cursor comes back as the key it was made from; anything else is one clear error."""

import base64
import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from dotdo_site.lib.paging import BadCursor, decode, encode


def test_a_sort_key_survives_the_way_to_the_client_and_back() -> None:
    at, row = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), uuid4()
    cursor = encode(at, row, "näme", 7)
    assert decode(cursor, datetime.fromisoformat, UUID, str, int) == (at, row, "näme", 7)
    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "x",
        "====",
        "%00",
        "\x00",
        "é",
        "a" * 5_000,
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"{}").decode(),
        base64.urlsafe_b64encode(b"[1]").decode(),
        base64.urlsafe_b64encode(b'["a","b"]').decode(),
        base64.urlsafe_b64encode(b"[" * 600).decode(),
        base64.urlsafe_b64encode(json.dumps(["\ud800"]).encode()).decode(),
        base64.urlsafe_b64encode(json.dumps(["a\x00"]).encode()).decode(),
        "' OR 1=1 --",
    ],
)
def test_garbage_is_refused_and_never_reaches_the_database(garbage: str) -> None:
    with pytest.raises(BadCursor):
        decode(garbage, str)


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(BadCursor):
        decode(encode("not a uuid"), UUID)
