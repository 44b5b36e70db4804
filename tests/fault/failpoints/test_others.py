"""The places that belong to no run: waking, sweeping, looking for work, renewing, schedules, chores, clients."""

import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.fault.cluster.host import kept
from tests.fault.failpoints.cases import CLIENTS, OTHERS, TICKING
from tests.fault.failpoints.client import until_acknowledged
from tests.fault.failpoints.matrix import Matrix
from tests.support.cluster import until
from tests.support.documents import publish
from tests.support.soundness import assert_sound
from workflows import operations
from workflows.models import Attempt, Event, Message, Run, ScheduleFire

RUNS = 4


def slow(key: str) -> uuid.UUID:
    return operations.start_workflow("slow", {}, actor="user:test", trigger="test", key=key).run_id


@pytest.mark.timeout(300)
def test_whatever_hits_those_who_wake_sweep_look_renew_and_keep_house_runs_come_to_their_end(
    matrix: Matrix, tmp_path: Path
) -> None:
    publish("ticking", TICKING)
    with kept(tmp_path / "cluster.log", **matrix.environment(DOTDO_LEASE_SECONDS="3")):  # its main process dies too
        for action, points in OTHERS.items():
            armed = matrix.arm(points, action)
            runs = [slow(f"{action}-{number}") for number in range(RUNS)]
            until(partial(all_fired, armed), 90, f"{action} at all points")
            until(partial(all_succeeded, runs), 60, f"the end of the runs hit by {action}")
    assert_everything_once(matrix)


def all_fired(armed: list[Path]) -> bool:
    for number in range(2):  # what renews leases and wakes workers needs runs that take their time
        if Run.objects.filter(name="slow", state__in=("pending", "running")).count() <= number:
            slow(uuid.uuid4().hex)
    return not any(file.exists() for file in armed)


def all_succeeded(runs: list[uuid.UUID]) -> bool:
    return Run.objects.filter(pk__in=runs, state="succeeded").count() == len(runs)


def assert_everything_once(matrix: Matrix) -> None:
    crashed = Counter(Attempt.objects.filter(outcome="crashed").values_list("step__run", flat=True))
    for run in Run.objects.filter(name="slow", state="succeeded"):
        sent = [count for key, count in matrix.sink.count.items() if key.startswith(str(run.pk))]
        assert len(sent) == 1
        assert sent[0] <= 1 + crashed[run.pk], "it was sent again although nobody died"
        assert_sound(run.pk)
    fires = ScheduleFire.objects.filter(skipped=False).values_list("run", flat=True)
    assert len(set(fires)) == len(fires) == Run.objects.filter(name="ticking").count()


@pytest.mark.parametrize("action", ["kill", "terminate", "raise"])
def test_a_client_that_is_hit_and_repeats_its_request_has_made_one_run_and_one_event(
    matrix: Matrix, action: str
) -> None:
    run_id = slow("for-events")
    event = {"specversion": "1.0", "id": "e", "source": "/t", "type": "paid"}
    does: dict[str, Callable[[], Any]] = {
        "start": partial(slow, "one-key"),
        "deliver": lambda: operations.deliver_event(event, actor="x", via="api", run_id=run_id),
    }
    for what, points in CLIENTS.items():
        matrix.arm(points, action)
        assert until_acknowledged(does[what], matrix.folder) >= len(points) - 1, "it was not hit"
    assert Run.objects.filter(key="one-key").count() == 1
    assert (Event.objects.count(), Message.objects.filter(run=run_id).count()) == (1, 1)
