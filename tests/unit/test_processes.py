"""What django-q2's processes share must survive whoever dies or freezes in the middle of it."""

import mmap
import os
import signal
import time

import pytest

from workflows import draining
from workflows.processes import Flag, Process, SocketQueue, Timer


def waiting(target: object, *arguments: object) -> Process:
    process = Process(target=target, args=arguments)  # type: ignore[arg-type]
    process.start()
    time.sleep(0.3)
    return process


def end(process: Process) -> None:
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def test_a_flag_can_be_raised_after_whoever_waited_for_it_was_killed() -> None:
    flag = Flag()
    end(waiting(flag.wait, 60.0))
    begun = time.monotonic()
    flag.set()
    flag.set()
    assert flag.is_set()
    assert time.monotonic() - begun < 5, "multiprocessing's event waits for the dead to wake up"


def test_a_queue_whose_reader_was_killed_serves_the_next_one() -> None:
    queue = SocketQueue(maxsize=1)
    end(waiting(queue.get))
    queue.put({"number": 1})
    assert queue.get() == {"number": 1}


def test_stop_reaches_every_reader_that_is_left_and_waits_for_none() -> None:
    queue = SocketQueue(maxsize=1)
    queue.put("first")
    begun = time.monotonic()
    for _ in range(100):
        queue.put("STOP")
    assert time.monotonic() - begun < 5
    assert [queue.get() for _ in range(3)] == ["first", "STOP", "STOP"], "what was sent before comes first"


def test_whoever_sends_a_hint_to_workers_that_take_none_leaves_when_the_cluster_drains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(draining, "_page", mmap.mmap(-1, 1))
    queue = SocketQueue(maxsize=1)
    queue.put({"number": 1})
    process = waiting(queue.put, {"number": 2})
    assert process.is_alive(), "the first one has not been taken"
    draining.request()
    process.join(5)
    sent = process.exitcode
    process.kill()
    assert sent == 0, "the sentinel waits for it before it stops the workers"


def test_a_number_has_no_lock_that_could_be_kept() -> None:
    timer = Timer("f", -1)
    process = waiting(_keep, timer)
    with timer.get_lock():
        assert timer.value == 5
    end(process)


def _keep(timer: Timer) -> None:
    with timer.get_lock():
        timer.value = 5
        time.sleep(60)
