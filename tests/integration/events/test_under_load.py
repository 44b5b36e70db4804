"""Events from several sides at once, with a real cluster: none is lost, none is taken twice, nobody waits for ever."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections

from tests.support.cluster import cluster
from tests.support.documents import publish
from tests.support.engine import shown, start_workflow
from tests.support.listening import event
from workflows import operations
from workflows.models import Event, Message, Run, Subscription

pytestmark = pytest.mark.usefixtures("database")
COUNTS = """do:
- first: {set: {n: 1}}
- l: {listen: {to: {any: [{with: {type: com.example.paid}}], until: '${ length == 6 }'}}}
"""
TALK = """do:
- both:
    fork:
      branches:
      - say:
          for: {in: '${ [range(3)] }', each: n}
          do:
          - e: {emit: {event: {with: {type: com.example.paid, subject: '${ $workflow.id }', data: '${ $n }'}}}}
      - hear: {listen: {to: {any: [{with: {type: com.example.paid}}], until: '${ length == 3 }'}}}
"""


def send(number: str, **attributes: str) -> None:
    try:
        operations.deliver_event(event(number, **attributes), actor="user:test", via="api")
    finally:
        connections.close_all()


def await_end(runs: list[uuid.UUID], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while Run.objects.filter(pk__in=runs).exclude(state="succeeded").exists():
        assert time.monotonic() < until, [(shown(run).state, shown(run).now, shown(run).error) for run in runs]
        time.sleep(0.1)


def test_events_that_come_while_runs_begin_to_listen_are_neither_lost_nor_doubled(tmp_path: Path) -> None:
    name = publish("counts", COUNTS)
    with cluster(tmp_path / "log"), ThreadPoolExecutor(4) as pool:
        runs = [start_workflow(name, {}) for _ in range(15)]
        sent = [
            pool.submit(send, f"{run}-{number}", subject=str(run), data=str(number))
            for number in range(6)
            for run in runs
        ]
        again = [pool.submit(send, f"{run}-0", subject=str(run), data="again") for run in runs]
        for future in [*sent, *again]:
            future.result()
        await_end(runs)
    for run in runs:
        assert sorted(shown(run).output) == [str(number) for number in range(6)]
    assert Event.objects.count() == 90
    assert not Subscription.objects.exists()


def test_a_broadcast_reaches_every_run_that_waits_while_others_still_start(tmp_path: Path) -> None:
    name = publish("waits", "do:\n- l: {listen: {to: {one: {with: {type: com.example.paid}}}}}\n")
    with cluster(tmp_path / "log"):
        runs = [start_workflow(name, {}) for _ in range(30)]
        numbers = iter(range(1_000))
        until = time.monotonic() + 60
        while Run.objects.exclude(state="succeeded").exists():
            assert time.monotonic() < until
            send(str(next(numbers)))
            time.sleep(0.1)
    assert {len(shown(run).output) for run in runs} == {1}
    assert not Subscription.objects.exists()


def test_runs_whose_branches_talk_to_each_other_do_not_wait_in_a_circle(tmp_path: Path) -> None:
    name = publish("talks", TALK)
    with cluster(tmp_path / "log"):
        alone = [start_workflow(name, {}) for _ in range(6)]
        await_end(alone)
    log = (tmp_path / "log").read_text()
    assert "deadlock" not in log
    assert {tuple(shown(run).output[1]) for run in alone} == {(0, 1, 2)}
    assert Message.objects.filter(run__in=alone).count() == 18
