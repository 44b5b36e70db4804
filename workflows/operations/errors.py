"""Why an operation was refused. Each says what was wrong, where, and what to do; edges turn them into answers."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from actions.problems import Problem


class OperationError(Exception):
    """An operation that was refused; nothing was changed."""

    @property
    def message(self) -> str:
        """Return the sentence for people."""
        return str(self)


class UnknownDefinition(OperationError):
    """There is no published definition of this name (or version)."""

    def __init__(self, kind: str, name: str, near: Sequence[str]) -> None:
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"There is no published {kind} called {name}.{hint}")
        self.kind, self.name, self.near = kind, name, list(near)


class UnknownVersion(UnknownDefinition):
    """The definition is published, but not in this version."""

    def __init__(self, kind: str, name: str, version: str, published: Sequence[str]) -> None:
        there = f"Published are {', '.join(published)}."
        OperationError.__init__(self, f"The {kind} {name} has no published version {version}. {there}")
        self.kind, self.name, self.near = kind, name, []


class UnknownRun(OperationError):
    """There is no run with this id."""

    def __init__(self, run_id: uuid.UUID | str, sentence: str = "") -> None:
        super().__init__(sentence or f"There is no run {run_id}.")


class GoneRun(UnknownRun):
    """The run was there, and is not kept any more."""

    def __init__(self, run_id: uuid.UUID | str, erased_at: datetime | None) -> None:
        when = f"{erased_at:%Y-%m-%d %H:%M} UTC" if erased_at else ""
        how = f"was erased on {when}" if when else "was deleted: it had been over for as long as its runs are kept"
        super().__init__(run_id, f"The run {run_id} {how}. Its audit trail is still there.")


class InputInvalid(OperationError):
    """The input breaks the definition's schema; no run was made."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("The input does not fit the schema; no run was started.")
        self.problems = list(problems)


class DefinitionInvalid(OperationError):
    """The document has problems and cannot be saved or published."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(f"{self.message} {'; '.join(map(str, problems))}")

    @property
    def message(self) -> str:
        """Return how many there are, for those who show the list itself."""
        return f"The document has {len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}."


class TooDeep(OperationError):
    """Runs that start runs have reached the limit; no run was started."""

    def __init__(self, name: str, depth: int, limit: int) -> None:
        super().__init__(
            f"{name} would be {depth} runs below the first one, and {limit} are allowed: "
            "look for workflows that start each other in a circle."
        )


class UnknownSchedule(OperationError):
    """The workflow has no schedule."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no workflow {name} with a schedule.")


class UnknownQueue(OperationError):
    """Nothing names a queue like this."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"Nothing names a queue {name}. There are {', '.join(known)}.")


class UnknownWorker(OperationError):
    """There is no worker with this id."""

    def __init__(self, worker: uuid.UUID) -> None:
        super().__init__(f"There is no worker {worker}.")


class UnknownNotification(OperationError):
    """There is no message with this id."""

    def __init__(self, notification: uuid.UUID) -> None:
        super().__init__(f"There is no notification {notification}.")


class UnknownMute(OperationError):
    """Nothing of this name, or with this id, is or can be muted."""

    def __init__(self, name: uuid.UUID | str) -> None:
        super().__init__(f"There is no rule or mute {name}.")


class UnknownView(OperationError):
    """There is no such view, or it is somebody else's."""

    def __init__(self, view: uuid.UUID) -> None:
        super().__init__(f"You have no view {view}.")


class UnknownBatch(OperationError):
    """There is no batch with this id."""

    def __init__(self, batch: uuid.UUID) -> None:
        super().__init__(f"There is no batch {batch}.")


class UnknownEvent(OperationError):
    """There is no event with this id."""

    def __init__(self, event_id: uuid.UUID) -> None:
        super().__init__(f"There is no event {event_id}.")


class UnknownFailure(OperationError):
    """There is no group of failures with this fingerprint."""

    def __init__(self, fingerprint: str) -> None:
        super().__init__(f"There is no group of failures {fingerprint}.")


class EventInvalid(OperationError):
    """The event is not a CloudEvent that can be taken; nothing was recorded."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"The event has {len(problems)} problem{'s' if len(problems) > 1 else ''}.")
        self.problems = list(problems)


class KeyConflict(OperationError):
    """The idempotency key belongs to a run that was started with something else."""

    def __init__(self, run_id: uuid.UUID, differences: Sequence[str]) -> None:
        super().__init__(
            f"This idempotency key belongs to run {run_id}, which was started with other input: "
            f"{'; '.join(differences)}. Use another key for another request."
        )
        self.run_id, self.differences = run_id, list(differences)


class KeyInvalid(OperationError):
    """The idempotency key is not 1 to 255 visible ASCII characters."""

    def __init__(self) -> None:
        super().__init__("An idempotency key is 1 to 255 visible ASCII characters, without spaces.")


class NotAllowed(OperationError):
    """The state of things does not allow this."""


class UnknownStep(OperationError):
    """The run has no step with this key. `near` are keys that it has and that look like it."""

    def __init__(self, run_id: uuid.UUID, key: str, near: Sequence[str] = ()) -> None:
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"The run {run_id} has no step {key}.{hint}")
        self.near = list(near)


class AnswerInvalid(OperationError):
    """What a person gave, an output or an answer, does not fit; nothing was changed. `part` says which of the two."""

    def __init__(self, part: str, problems: Sequence[Problem]) -> None:
        super().__init__(f"The {part} does not fit; nothing was changed.")
        self.part, self.problems = part, list(problems)


class VersionConflict(OperationError):
    """The entry changed since it was read."""

    def __init__(self, current_version: int) -> None:
        now = f"is at version {current_version}" if current_version else "does not exist"
        super().__init__(f"The entry {now}: read it again before you write.")
        self.current_version = current_version


def refuse(refusal: str | None) -> None:
    """Raise NotAllowed when there is a reason to refuse."""
    if refusal:
        raise NotAllowed(refusal)
