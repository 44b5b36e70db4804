"""A held step in the worker's memory: its data resolved, its place in the program, its clock."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from workflows import payloads
from workflows.claim import Claimed
from workflows.engine.advance import advance
from workflows.engine.messages import Advance, CallFunction, Message
from workflows.engine.services import Facts
from workflows.language.program import Program
from workflows.programs import ActionSpec, action_by_id, action_called, program_of
from workflows.services import SERVICES

BUILTIN = "datastore."


@dataclass(slots=True)
class Job:
    """What `worker` carries from claim to checkpoint. `cursor`, `context` and `input` are resolved values."""

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
    read_at: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """Return the database's time: what it said when the step was read, plus what has passed since."""
        return self.held.now + timedelta(seconds=time.monotonic() - self.read_at)

    def advance(self, message: Message) -> Advance:
        """Let the engine apply a message to the job's cursor."""
        facts = Facts(str(self.held.run), self.run_input, self.held.run_created_at)
        return advance(
            self.program,
            self.cursor,
            message,
            context=self.context,
            facts=facts,
            services=SERVICES,
            now=self.now(),
        )

    def become(self, command: CallFunction, result: Advance) -> None:
        """Turn a start step into the first call of its run: it then runs under the claim that is already held."""
        self.cursor, self.context = result.cursor, result.context
        self.trace = result.trace
        self.key, self.ref, self.name, self.kind = command.key, command.ref, command.name, "call"
        self.function, self.input = f"{command.function}:{command.version}", command.input
        self.action = action_of(command)

    @property
    def effect_key(self) -> str:
        """Return the idempotency key for the outside: one per intended effect, the same for all attempts."""
        return f"{self.held.run}:{self.key}:{self.held.generation}"


def load(held: Claimed) -> Job:
    """Resolve the data of a held step and find its program."""
    cells = [*payloads.cursor_cells(held.cursor), held.run_input, held.context, held.input]
    found = payloads.load(held.run, cells)
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
        function="" if held.kind == "start" else held.function,  # until then it only tells people what comes first
        input=payloads.resolve(held.input, found),
        action=None if held.action_version is None else action_by_id(held.action_version),
    )


def follow(job: Job, held: Claimed, command: CallFunction | None, result: Advance) -> Job:
    """Return the job of the next step of the same run, which the checkpoint leased to this worker."""
    return Job(
        held=held,
        program=job.program,
        cursor=result.cursor,
        context=result.context,
        stored_context=result.context,
        run_input=job.run_input,
        key=held.key,
        ref=held.ref,
        name=held.name,
        kind=held.kind,
        function=held.function,
        input=None if command is None else command.input,
        action=None if command is None else action_of(command),
    )


def action_of(command: CallFunction) -> ActionSpec | None:
    """Return the action that a command calls; None for the built-in functions."""
    if command.function.startswith(BUILTIN):
        return None
    return action_called(command.function, command.version)
