"""Two workers, or a worker and somebody else, brought into the one order that could hurt.

A `Turn` stops whoever comes to a point of the code with the step it was made for; the test then lets others go first
and releases it. Everybody has a thread, and with it a database connection, of their own.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections

from workflows import checkpoint, claim, driving, recording, settling
from workflows.claim import Claimed
from workflows.identity import Identity
from workflows.job import Job
from workflows.models import Run, Step

PATIENCE = 20.0
_turns: list["Turn"] = []
_doings: list["Doing"] = []


class Turn:
    """A point of the code where one step has to wait for its turn."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._reached, self._free = threading.Event(), threading.Event()
        _turns.append(self)

    def wait(self, held: Claimed) -> None:
        """Stop here, once, if this is the step."""
        if held.name == self.name:
            self.stop()

    def stop(self) -> None:
        """Stop here, once."""
        if not self._reached.is_set():
            self._reached.set()
            assert self._free.wait(PATIENCE), f"nobody let {self.name} go on"

    def reached(self) -> None:
        """Wait until the step stands here."""
        assert self._reached.wait(PATIENCE), f"{self.name} never came here"

    def go(self) -> None:
        """Let it go on."""
        self._free.set()


def before_checkpoint(name: str, monkeypatch: pytest.MonkeyPatch) -> Turn:
    """Stop the step when it is decided what will be written, and no lock is taken but that of a transactional step."""
    turn, write = Turn(name), recording.write

    def wrapped(job: Job, *more: Any) -> Any:
        turn.wait(job.held)
        return write(job, *more)

    monkeypatch.setattr(recording, "write", wrapped)
    return turn


def before_lock(name: str, monkeypatch: pytest.MonkeyPatch) -> Turn:
    """Stop the step when it has locked what is above its run, and its run not yet."""
    turn, lock = Turn(name), settling.lock
    runs = set(Step.objects.filter(name=name).values_list("run", flat=True))

    def wrapped(run: uuid.UUID) -> None:
        if run in runs:
            turn.stop()
        lock(run)

    monkeypatch.setattr(settling, "lock", wrapped)
    return turn


def after_checkpoint(name: str, monkeypatch: pytest.MonkeyPatch) -> Turn:
    """Stop the step when its checkpoint is written and, where that is part of a transaction, not committed."""
    turn, write = Turn(name), checkpoint.write

    def wrapped(held: Claimed, *more: Any) -> Any:
        written = write(held, *more)
        turn.wait(held)
        return written

    monkeypatch.setattr(checkpoint, "write", wrapped)
    return turn


class Doing:
    """Something that goes on in a thread; `done` waits for its end and raises what it raised."""

    def __init__(self, do: Callable[[], Any]) -> None:
        self._do, self._error = do, list[BaseException]()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        _doings.append(self)

    def done(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "it never came to its end"
        if self._error:
            raise self._error[0]

    def blocked(self, seconds: float = 0.3) -> bool:
        """Tell whether it still waits, for a lock or its turn, after a moment."""
        self._thread.join(seconds)
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._do()
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            self._error.append(error)
        finally:
            connections.close_all()


def work_on(name: str, *, on: bool = True) -> Doing:
    """Let a worker of its own take the step with this name, and go `on` with what follows, in a thread."""
    return work_on_step(Step.objects.get(name=name, state="ready").pk, on=on)


def work_on_step(step: uuid.UUID, *, on: bool = True) -> Doing:
    """Let a worker of its own take this step."""
    return Doing(lambda: _drive(step, on))


def let_all_go() -> None:
    """Release whoever still waits for its turn, and wait for all threads: also after a test that failed."""
    for turn in _turns:
        turn.go()
    for doing in _doings:
        doing.blocked(PATIENCE)
    _turns.clear()
    _doings.clear()


def ended(run_id: uuid.UUID) -> None:
    """Wait until a run has come to its end."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if Run.objects.filter(pk=run_id, state__in=("succeeded", "failed", "cancelled")).exists():
            return
        time.sleep(0.05)
    raise AssertionError("the run never ended")


def _drive(step: uuid.UUID, on: bool) -> None:
    me = Identity()
    Step.objects.filter(pk=step).update(due_at="2000-01-01T00:00:00Z")
    held = claim.take("default", 2, me.id, 30.0)
    assert held is not None
    assert held.step == step, f"took {held.name}"
    driving.drive(held, me, time.monotonic() + (PATIENCE if on else 0))


@contextmanager
def working(count: int) -> Iterator[None]:
    """Let so many workers take whatever is due, until the block ends."""
    over = threading.Event()

    def work() -> None:
        me = Identity()
        while not over.is_set():
            claim.reap()
            held = me.take()
            if held is None:
                time.sleep(0.01)
            else:
                driving.drive(held, me, time.monotonic() + 5)

    doing = [Doing(work) for _ in range(count)]
    try:
        yield
    finally:
        over.set()
        for one in doing:
            one.done()
