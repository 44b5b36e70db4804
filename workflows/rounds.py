"""A round of a shared commit: whose turn it is, and what was executed. Two threads look at it."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from workflows.checkpoint import Ended, Item, Progress
from workflows.engine.messages import Advance
from workflows.job import Job
from workflows.lessee import Happened

WAIT_SECONDS = 0.004  # for as long may what is done wait for the next turn to begin
SHARE_SECONDS = 0.002  # for as long may one run go on while others wait for their turn
TURN_SECONDS = 0.010  # for as long may one turn keep the others waiting
MOST_STEPS = 64  # in a commit


@dataclass(slots=True)
class Executed:
    """Steps of a run in a row whose checkpoint is decided and not yet written.

    `first` is the one that is held, `came` what it came to, at `done`; `job`, `result` and `wanted` are the last one's,
    `ended` those behind the first. `failed` is what the next one came to, when that cannot be recorded with them.
    """

    first: Job
    came: Happened
    done: float
    job: Job
    result: Advance
    wanted: Progress
    ended: list[Ended] = field(default_factory=list)
    failed: Happened | None = None

    @property
    def item(self) -> Item:
        """Return what there is to write."""
        return Item(self.first.held, self.wanted, self.ended, self.done)


class Round:
    """The jobs of one round: those that wait for their turn, and what was executed."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.lock = threading.Lock()
        self.began = time.monotonic()
        self.turn_began = self.run_began = 0.0
        self.waiting = list(reversed(jobs))
        self.executed: list[Executed] = []
        self.steps = 0
        self.on_the_way: Executed | None = None  # what the step whose turn it is began behind
        self.gone_on: Job | None = None  # that step's job, once others have recorded what it began behind
        self.following: list[Job] = []  # behind those that were recorded alone
        self.broken_up = False
        self.settled = threading.Event()  # once what was broken up is recorded

    def turn(self) -> Job | None:
        """Return whose turn it is; nobody's when all had theirs, or the first of them has waited long enough."""
        with self.lock:
            self.on_the_way = None
            self.turn_began = self.run_began = time.monotonic()
            if self.waiting and not self._late():
                return self.waiting.pop()
            self.turn_began = 0.0
            return None

    def goes_on(self, executed: Executed) -> bool:
        """Tell whether the step behind has its turn at once, before what it begins behind is recorded."""
        with self.lock:
            now = time.monotonic()
            others = self.waiting and now - self.run_began > SHARE_SECONDS
            if self.broken_up or others or self._late() or self.steps >= MOST_STEPS:
                return False
            self.turn_began, self.on_the_way = now, executed
            return True

    def add(self, executed: Executed) -> bool:
        """Keep what was executed for the commit of the round; False when the round was broken up meanwhile."""
        with self.lock:
            if not self.broken_up:
                if self.on_the_way is not None:
                    self.executed.pop()  # the last one: a run has its turns in a row
                self.executed.append(executed)
                self.steps += 1
            return not self.broken_up

    def fail(self, happened: Happened) -> bool:
        """Keep what cannot be recorded with what it began behind; False when the round was broken up meanwhile."""
        with self.lock:
            if not self.broken_up and self.on_the_way is not None:
                self.on_the_way.failed, self.turn_began = happened, 0.0
            return not self.broken_up

    def end(self) -> tuple[list[Executed], list[Job]]:
        """Return what is to be recorded, and who had no turn."""
        with self.lock:
            found = self.executed, self.waiting[::-1]
            self.executed, self.waiting = [], []
            return found

    def break_up(self) -> tuple[list[Executed], list[Job]]:
        """Do the same while a handler runs that takes too long for the others; nothing while it does not."""
        with self.lock:
            others = self.executed or self.waiting
            if not others or not self.turn_began or time.monotonic() - self.turn_began < TURN_SECONDS:
                return [], []
            self.broken_up = True
            found = self.executed, self.waiting
            self.executed, self.waiting = [], []
            return found

    def _late(self) -> bool:
        return bool(self.executed) and time.monotonic() - self.began > WAIT_SECONDS
