"""The labels of the time axis: none overlaps another one, none is there twice."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.views import timeline
from workflows.views.axis_labels import NARROW, WIDE, Mark, labelled
from workflows.views.timeline import Asked

START = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
PLACES = st.floats(0, 97)


@dataclass
class Run:
    state: str = "succeeded"
    created_at: datetime = START
    finished_at: datetime | None = None
    steps: list[Any] = field(default_factory=list)
    steps_total: int = 0
    tasks: list[str] = field(default_factory=list)


@given(ticks=st.lists(PLACES, max_size=12, unique=True), folds=st.lists(st.floats(0, 92), max_size=6, unique=True))
def test_texts_stand_beside_each_other_on_every_axis(ticks: list[float], folds: list[float]) -> None:
    drawn_folds, drawn_ticks = labelled(
        [Mark(at, "16 m 01 s idle", 7.5) for at in folds], [Mark(at, "1:02:00") for at in ticks]
    )
    drawn = [*drawn_folds, *drawn_ticks]
    for pixels, rooms in ((NARROW, {"always"}), (WIDE, {"always", "more"}), (700, {"always", "more"})):
        spans = sorted(mark.span(pixels) for mark in drawn if mark.room in rooms)
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
        assert all(left >= -25 and right <= pixels + 25 for left, right in spans)


@pytest.mark.parametrize("seconds", [0.06, 0.9, 1.1, 1.15, 1.3, 2.3, 3.1, 7, 65, 4_000, 90_000])
def test_no_label_is_there_twice(seconds: float) -> None:
    drawn = timeline.build(Run(finished_at=START + timedelta(seconds=seconds)), START, Asked(fold=False))
    texts = [mark.text for mark in drawn.ticks]
    assert len(texts) == len(set(texts)) > 1
