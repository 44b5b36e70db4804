"""Schedules in real clusters: they fire on time without anybody asking, and once however many look."""

import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.cluster import cluster, until
from tests.support.documents import publish
from workflows import operations
from workflows.models import Run, ScheduleFire

pytestmark = pytest.mark.usefixtures("handlers")


def test_two_clusters_start_each_moment_once_and_on_time(tmp_path: Path) -> None:
    with cluster(tmp_path / "one"), cluster(tmp_path / "two"):
        publish("tick", "schedule: {every: PT1S}\ndo: [{a: {call: test-echo, with: {value: 1}}}]")
        publish("tock", "schedule: {after: PT1S}\ndo: [{a: {call: test-echo, with: {value: 1}}}]")
        until(lambda: Run.objects.filter(name="tick", state="succeeded").count() >= 6, 40)
        until(lambda: Run.objects.filter(name="tock", state="succeeded").count() >= 3, 40)
        operations.pause_schedule("tick", actor="user:test", reason="enough")
        operations.pause_schedule("tock", actor="user:test", reason="enough")
        paused = Run.objects.filter(name="tick").count()
        time.sleep(2.5)
        assert Run.objects.filter(name="tick").count() == paused
    fires = list(ScheduleFire.objects.filter(schedule__workflow__name="tick").order_by("nominal_at"))
    steps = {(later.nominal_at - earlier.nominal_at).total_seconds() for earlier, later in pairwise(fires)}
    assert steps == {1.0}
    started = [fire for fire in fires if not fire.skipped]
    assert len({fire.run_id for fire in started}) == len(started) == Run.objects.filter(name="tick").count()
    late = sorted((fire.created_at - fire.nominal_at).total_seconds() for fire in started)
    assert late[len(late) // 2] < 2.0


def test_a_workflow_that_starts_another_waits_without_a_worker_and_goes_on(tmp_path: Path) -> None:
    publish("child", "do: [{nap: {wait: {milliseconds: 600}}}, {a: {set: {b: '${ .n }'}}}]")
    publish("parent", "do: [{each: {call: map, with: {items: '${ .items }', workflow: {name: child}}}}]")
    with cluster(tmp_path / "log"):
        items = [{"n": n} for n in range(30)]
        top = operations.start_workflow("parent", {"items": items}, actor="user:test", trigger="test").run_id
        until(lambda: Run.objects.filter(pk=top, state="succeeded").exists(), 60)
    assert Run.objects.get(pk=top).output == [{"b": n} for n in range(30)]
