"""The engine without worker and database: everything around `advance` in memory, on a clock that jumps.

A `World` plays the part of the worker for one run and its children: it answers calls from a table, fires timers in
the order of their times, runs the branches of a fork with cursors of their own and joins them, keeps a mailbox. Every
message is applied twice, each time to a cursor that went through JSON: the two results must be the same.
"""

import heapq
import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.pure_calls import end_of_child, from_table, really_called
from tests.support.pure_rows import Fork, Line, PureRun
from workflows.engine import messages as m
from workflows.engine.advance import Busy, Stale, advance
from workflows.engine.services import Facts
from workflows.failures import language_error
from workflows.language.program import Program
from workflows.programs import CALLS
from workflows.services import EngineServices

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
MOST_MESSAGES = 5_000


class PureServices(EngineServices):
    """The real expressions and schemas; chance always falls into the middle, secrets are recognisable."""

    def random(self) -> float:
        return 0.5

    def secrets(self, names: Any) -> Mapping[str, Any]:
        return {name: f"<secret {name}>" for name in names}


class World:
    """A clock, a queue of messages, and the workflows that runs can be started of."""

    def __init__(self, programs: Mapping[str, Program] | None = None) -> None:
        self.now = EPOCH
        self.programs = dict(programs or {})
        self.services = PureServices()
        self._queue: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._runs: list[PureRun] = []
        self._known: set[tuple[Any, Any]] = set()

    # --- what a test does -------------------------------------------------------------------------------------------
    def start(self, program: Program, value: Any, ended: Callable[[PureRun], None] = lambda _: None) -> PureRun:
        """Begin a run; nothing happens before the world turns."""
        run = PureRun(f"run-{len(self._runs) + 1}", program, value, ended=ended)
        self._runs.append(run)
        line = Line(run)
        run.lines.append(line)
        self._later(self.now, lambda: self._send(line, m.Start(value)))
        return run

    def settle(self) -> None:
        """Let happen what is due now."""
        for _ in range(MOST_MESSAGES):
            if not self._queue or self._queue[0][0] > self.now:
                return
            heapq.heappop(self._queue)[2]()
        raise AssertionError(f"{MOST_MESSAGES} messages and no end")

    def jump(self) -> bool:
        """Move the clock to what is due next; tell whether there was anything."""
        if not self._queue:
            return False
        self.now = max(self.now, self._queue[0][0])
        self.settle()
        return True

    def deliver(self, event: Mapping[str, Any]) -> None:
        """Hand an event to the run that is its subject, or to everybody who listens; once, however often it comes."""
        number = (event.get("source"), event.get("id"))
        if number in self._known:
            return
        self._known.add(number)
        for run in self._runs:
            addressed = event.get("subject") == run.id
            if addressed:
                run.mailbox.append(dict(event))
            for line in run.lines:
                if line.listening and (addressed or not self._addressed(event)):
                    line.asked.append(dict(event))
                    self._later(self.now, lambda line=line: self._hand_out(line))  # type: ignore[misc]

    # --- messages ---------------------------------------------------------------------------------------------------
    def _send(self, line: Line, message: m.Message) -> None:
        if not line.open or line.run.state != "running":
            return
        try:
            first, second = self._apply(line, message), self._apply(line, message)
        except Stale:
            return
        except Busy:
            self._later(self.now, lambda: self._send(line, message))
            return
        assert first == second, "the same message on the same cursor means the same"
        line.cursor, line.run.context = json.loads(json.dumps(first.cursor)), first.context
        self._keep(line, message, first)
        BODIES[type(first.command)](self, line, first.command)

    def _apply(self, line: Line, message: m.Message) -> m.Advance:
        run = line.run
        facts = Facts(run.id, run.input, EPOCH, lambda: f"https://dotdo.example/hooks/{run.id}")
        cursor, context = json.loads(json.dumps([line.cursor, run.context]))
        return advance(run.program, cursor, message, context=context, facts=facts, services=self.services, now=self.now)

    def _keep(self, line: Line, message: m.Message, result: m.Advance) -> None:
        """Record what the advance brings beside its command: path, timers, cancelled leaves, compensations."""
        run = line.run
        told = isinstance(result.command, m.Park) or getattr(message, "key", "") in result.trace
        if isinstance(message, m.Done) and not told:
            run.path.append(message.key)
        run.path += result.trace
        again = {entry.place for entry in result.undo}  # what a retried try completed once more
        run.undo = [entry for entry in run.undo if entry.place not in again] + result.undo
        for key in (*result.dropped, *result.cut):
            _drop(line.waits.pop(key, None))
        if line.inner and line.inner.command.key in result.cut:
            _close(line.inner)
        for timer in result.armed:
            self._wait(line, timer.key, timer.due_at, m.TimedOut(timer.key))

    def _wait(self, line: Line, key: str, due: datetime, message: m.Message) -> None:
        """Send the message when it is due, unless the line waits for it no more."""
        token = line.waits[key] = object()

        def ring() -> None:
            if line.waits.get(key) is token:
                del line.waits[key]
                self._send(line, message)

        self._later(due, ring)

    def _later(self, due: datetime, do: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (due, next(self._order), do))

    # --- commands ---------------------------------------------------------------------------------------------------
    def _call(self, line: Line, command: m.CallFunction) -> None:
        takes, message = self._answer(line.run, command)
        self._wait(line, command.key, self.now + takes, message)

    def _answer(self, run: PureRun, command: m.CallFunction) -> tuple[timedelta, m.Message]:
        """Return what a call comes to and how long it takes: `http` and `openapi` are really called."""
        called = really_called(run, command) if command.function in CALLS else from_table(command)
        takes, output, failure = called
        if failure is not None:
            return takes, m.Failed(command.key, language_error(failure, command.ref))
        return takes, m.Done(command.key, output)

    def _timer(self, line: Line, command: m.SetTimer) -> None:
        self._wait(line, command.key, command.due_at, m.Done(command.key))

    def _emit(self, line: Line, command: m.EmitEvent) -> None:
        self.deliver(command.event)
        self._wait(line, command.key, self.now, m.Done(command.key, command.event))

    def _listen(self, line: Line, command: m.Listen) -> None:
        line.listen, line.waits[command.key] = command.key, object()
        line.asked = list(line.run.mailbox)
        self._later(self.now, lambda: self._hand_out(line))

    def _go_on_listening(self, line: Line, command: m.Listening) -> None:
        line.waits[command.key] = object()
        self._later(self.now, lambda: self._hand_out(line))

    def _hand_out(self, line: Line) -> None:
        """Give a resting listen the next event; one from the mailbox that it took is there for nobody else."""
        if not (line.listening and line.listen in line.waits and line.asked):
            return
        event, key, before, mailbox = line.asked.pop(0), line.listen, line.cursor, line.run.mailbox
        del line.waits[key]
        line.run.mailbox = [other for other in mailbox if other != event]
        self._send(line, m.Received(key, event))
        if line.cursor.get("frames") == before["frames"]:  # passed over: it stays for others
            line.run.mailbox = mailbox

    def _start_run(self, line: Line, command: m.StartRun) -> None:
        def ended(child: PureRun) -> None:
            self._wait(line, command.key, self.now, end_of_child(command, child))

        child = self.start(self.programs[command.workflow], command.input, ended if command.wait else lambda _: None)
        if command.wait:
            line.waits[command.key] = child
        else:
            self._wait(line, command.key, self.now, m.Done(command.key))

    def _open_fork(self, line: Line, command: m.OpenFork) -> None:
        fork = line.inner = Fork(line, command)
        line.waits[command.key] = fork
        for branch in command.branches:
            one = Line(line.run, fork, branch.index, cursor=branch.cursor)
            fork.lines.append(one)
            line.run.lines.append(one)
            self._later(self.now, lambda one=one: self._send(one, m.Continue()))  # type: ignore[misc]

    def _undo(self, line: Line, command: m.Undo) -> None:
        """Call the compensations of the scope, the last one first. One that fails stops the run for a person."""
        run = line.run
        todo = [entry for entry in reversed(run.undo) if entry.place.startswith(command.scope)]
        for entry in todo:
            call = m.CallFunction(f"{entry.key}#undo", entry.ref, entry.name, entry.function, entry.version,
                                  entry.input)  # fmt: skip
            _, message = self._answer(run, call)
            if isinstance(message, m.Failed):
                return self._end(run, "failed", error=message.error)
            run.undo.remove(entry)
            run.undone.append((entry.name, entry.input))
        return self._wait(line, command.key, self.now, m.Done(command.key, {"undone": len(todo)}))

    def _go_on(self, line: Line, command: m.GoOn) -> None:
        del command  # it only says where the budget ended
        self._later(self.now, lambda: self._send(line, m.Continue()))

    def _complete(self, line: Line, command: m.Complete) -> None:
        self._end(line.run, "succeeded", output=command.output)

    def _branch_done(self, line: Line, command: m.BranchDone) -> None:
        fork = line.fork
        assert fork is not None
        line.open = False
        fork.outputs[line.index] = command.output
        if fork.command.compete:
            self._join(fork, m.Done(fork.command.key, command.output))
        elif len(fork.outputs) == len(fork.lines):
            outputs = [fork.outputs[index] for index in range(len(fork.lines))]
            self._join(fork, m.Done(fork.command.key, outputs))

    def _park(self, line: Line, command: m.Park) -> None:
        """End the run, or with a fork's branch the fork: R11, the last one of a competing fork."""
        fork = line.fork
        if fork is None:
            return self._end(line.run, "failed", error=command.error)
        line.open = False
        fork.faults += 1
        if not fork.command.compete or fork.faults == len(fork.lines):
            return self._join(fork, m.Failed(fork.command.key, command.error))
        return None

    def _join(self, fork: Fork, message: m.Message) -> None:
        _close(fork)
        self._wait(fork.parent, fork.command.key, self.now, message)

    def _end(self, run: PureRun, state: str, *, output: Any = None, error: dict[str, Any] | None = None) -> None:
        run.state, run.output, run.error = state, output, error or {}
        for line in run.lines:
            _leave(line)
        run.ended(run)

    def _addressed(self, event: Mapping[str, Any]) -> bool:
        return any(event.get("subject") == run.id for run in self._runs)


BODIES: Mapping[type, Callable[[World, Line, Any], None]] = {
    m.CallFunction: World._call,
    m.SetTimer: World._timer,
    m.EmitEvent: World._emit,
    m.Listen: World._listen,
    m.Listening: World._go_on_listening,
    m.StartRun: World._start_run,
    m.OpenFork: World._open_fork,
    m.Undo: World._undo,
    m.GoOn: World._go_on,
    m.Complete: World._complete,
    m.BranchDone: World._branch_done,
    m.Park: World._park,
}


def _close(fork: Fork) -> None:
    for line in fork.lines:
        _leave(line)


def _leave(line: Line) -> None:
    """End a branch with what it rests in."""
    line.open = False
    for wait in line.waits.values():
        _drop(wait)
    if line.inner:
        _close(line.inner)


def _drop(wait: object) -> None:
    """Cancel what a task waited for: only a child run goes on by itself."""
    if isinstance(wait, PureRun) and wait.state == "running":
        wait.state = "cancelled"
        for line in wait.lines:
            _leave(line)
