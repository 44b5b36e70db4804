"""A writer that hangs for long makes no seal look at everything that was written since."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from audit import sealing
from audit.models import AuditEvent, SealedHead
from dotdo_site.lib.ids import uuid7
from tests.integration.audit.test_sealing import Other, other, write
from tests.integration.audit.trails import chain, verify

__all__ = ["other"]
pytestmark = pytest.mark.usefixtures("database")
WINDOW = 5


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Return how many ids each look for new heads spans."""
    found = list[int]()
    monkeypatch.setattr(sealing, "WINDOW", WINDOW)

    def seen(execute: Callable[..., Any], sql: str, given: Any, *rest: Any) -> Any:
        if sql == sealing._HEADS:
            found.append(given[2] - given[1])
        return execute(sql, given, *rest)

    with connection.execute_wrapper(seen):
        yield found


def heads() -> set[uuid.UUID]:
    return set(SealedHead.objects.values_list("chain", flat=True))


def test_a_writer_that_hangs_makes_no_seal_look_back_at_everything(other: Other, looks: list[int]) -> None:
    late = uuid7()
    write(other, late)
    for _ in range(20):
        chain(2)
        assert len(sealing.seal()) == 1
    other.commit()
    assert max(looks) <= 2 * WINDOW
    looks.clear()
    made = sealing.seal()
    assert late in heads()
    assert made[-1].reach == AuditEvent.objects.order_by("-id").values_list("id", flat=True)[0]
    assert made[-1].reach - made[-1].horizon <= WINDOW
    assert max(looks) <= 2 * WINDOW
    assert heads() == set(AuditEvent.objects.values_list("chain", flat=True))
    assert verify() == "whole"
    assert sealing.seal() == []


def test_what_is_written_while_seals_look_back_is_sealed_too(other: Other, looks: list[int]) -> None:
    write(other, uuid7())
    for _ in range(10):
        chain(2)
        sealing.seal()
    other.commit()
    for _ in range(10):
        chain(3)
        sealing.seal(at_most=1)
    sealing.seal()
    assert heads() == set(AuditEvent.objects.values_list("chain", flat=True))
    assert max(looks) <= 2 * WINDOW
    assert verify() == "whole"
