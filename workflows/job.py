"""A held step in the worker's memory: its data resolved, its place in the program, its clock."""

import re
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from workflows import hooks, payloads
from workflows.claim import Claimed
from workflows.engine.advance import advance
from workflows.engine.frames import place
from workflows.engine.messages import Advance, CallFunction, Message, PushUndo
from workflows.engine.services import Facts
from workflows.language.program import Program
from workflows.lessee import Happened
from workflows.programs import CALLS, ActionSpec, action_by_id, action_called, call_spec, is_builtin, program_of
from workflows.services import SERVICES

if TYPE_CHECKING:
    from workflows.compensating import Chosen

UNDO = re.compile(r"#(undo(\[\d+\])?|late)$")  # whichever step undoes a call, also one that begins again


@dataclass(slots=True)
class Job:
    """What `worker` carries from claim to checkpoint. `cursor`, `context` and `input` are resolved values.

    `came` is what the call came to and `pushed` how it can be undone, for when it turns out to have come too late;
    `chosen` is what is to be undone next, as its checkpoint will find it; `facts` is what else the audit trail says of
    the step. `about` is what the engine is told of the run: it is the same for all of its steps.
    """

    held: Claimed
    program: Program
    cursor: dict[str, Any]
    context: Any
    stored_context: Any
    run_input: Any
    key: str
    ref: str
    name: str
    kind: str
    function: str
    input: Any
    action: ActionSpec | None
    trace: list[str] = field(default_factory=list)
    came: Happened | None = None
    pushed: list[PushUndo] = field(default_factory=list)
    chosen: list["Chosen"] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    about: Facts | None = None
    read_at: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """Return the database's time: what it said when the step was read, plus what has passed since."""
        return self.held.now + timedelta(seconds=time.monotonic() - self.read_at)

    def advance(self, message: Message, after: Advance | None = None) -> Advance:
        """Let the engine apply a message to the job's cursor, or to what another advance left. Raises Stale, Busy."""
        if self.about is None or self.about.stopped != self.held.stopped:
            self.about = self._facts()
        return advance(
            self.program,
            self.cursor if after is None else after.cursor,
            message,
            context=self.context if after is None else after.context,
            facts=self.about,
            services=SERVICES,
            now=self.now(),
        )

    def _facts(self) -> Facts:
        held = self.held
        webhook = partial(hooks.url, held.run)  # a digest that few documents mention
        return Facts(str(held.run), self.run_input, held.run_created_at, webhook, held.stopped)

    def become(self, command: CallFunction, result: Advance) -> None:
        """Turn a start step into the first call of its run: it then runs under the claim that is already held."""
        self.cursor, self.context = result.cursor, result.context
        self.trace, self.chosen = result.trace, []
        self.key, self.ref, self.name, self.kind = command.key, command.ref, command.name, "call"
        self.function, self.input = f"{command.function}:{command.version}", command.input
        self.action = action_of(command)

    @property
    def called(self) -> str:
        """Return the name of the function without its version."""
        return self.function.rpartition(":")[0]

    @property
    def effect_key(self) -> str:
        """Return the idempotency key for the outside: one per intended effect, the same for all attempts."""
        frame = (self.cursor.get("frames") or [{}])[-1]
        own = frame.get("effect") if frame.get("key") == self.key else None
        if own:
            return f"{own}:{self.held.generation}" if self.held.generation else str(own)
        at = UNDO.sub("#undo", place(self.key)) if "#" in self.key else place(self.key)
        return f"{self.held.run}:{at}:{self.held.generation}"


def load(held: Claimed) -> Job:
    """Resolve the data of a held step and find its program."""
    cells = [*payloads.cursor_cells(held.cursor), held.run_input, held.context, held.input]
    found = payloads.load(held.run, cells)
    function = "" if held.kind == "start" else held.function  # until then it only tells people what comes first
    return Job(
        held=held,
        program=program_of(held),
        cursor=payloads.resolve_cursor(held.cursor, found),
        context=payloads.resolve(held.context, found),
        stored_context=payloads.resolve(held.context, found),
        run_input=payloads.resolve(held.run_input, found),
        key=held.key,
        ref=held.ref,
        name=held.name,
        kind=held.kind,
        function=function,
        input=payloads.resolve(held.input, found),
        action=action_at(held.action_version, function),
    )


def follow(job: Job, held: Claimed, step_input: Any, result: Advance | None, context: Any) -> Job:
    """Return the job of the next step of the same run, which the checkpoint leased to this worker."""
    return Job(
        held=held,
        program=job.program,
        cursor=job.cursor if result is None else result.cursor,
        context=context,
        stored_context=context,
        run_input=job.run_input,
        key=held.key,
        ref=held.ref,
        name=held.name,
        kind=held.kind,
        function=held.function,
        input=step_input,
        action=action_at(held.action_version, held.function),
        about=job.about,
    )


def action_of(command: CallFunction) -> ActionSpec | None:
    """Return what a command calls, as something to execute; None for the built-in functions."""
    if is_builtin(command.function):
        return None
    if command.function in CALLS:
        return call_spec(command.function)
    return action_called(command.function, command.version)


def action_at(version: uuid.UUID | None, function: str) -> ActionSpec | None:
    """Return what a step calls, as its row names it; None for the built-in functions and for what is no call."""
    if version is not None:
        return action_by_id(version)
    name = function.rpartition(":")[0]
    return call_spec(name) if name in CALLS else None
