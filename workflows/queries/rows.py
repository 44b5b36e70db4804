"""What queries return: frozen values with everything an edge shows, already resolved and masked."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; `next` and `previous` are cursors, None at the ends."""

    items: list[Item]
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs; an empty field filters nothing.

    `q` is how a title or key begins, or a name or an id; `key` how a key begins. `code` and `group` are an error code
    and the fingerprint of a group of failures: of runs that rest as failed.
    """

    state: str = ""
    label: str = ""
    name: str = ""
    kind: str = ""
    q: str = ""
    tag: str = ""
    key: str = ""
    version: str = ""
    queue: str = ""
    code: str = ""
    group: str = ""
    unfinished: bool = False
    since: datetime | None = None
    until: datetime | None = None
    parent: uuid.UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run in a list. `refusals` says of a verb why it is not allowed; one that is not named is.

    `rested_at`: since when it waits for a person, as failed.
    """

    id: uuid.UUID
    name: str
    version: str
    kind: str
    title: str
    key: str
    state: str
    reason: str
    label: str
    now: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    rested_at: datetime | None
    trigger: str
    actor: str
    steps_done: int
    steps_open: int
    steps_failed: int
    refusals: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLine:
    """One attempt of a step, without its data."""

    number: int
    outcome: str
    worker: uuid.UUID | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView(AttemptLine):
    """One attempt of a step."""

    input: Any
    output: Any
    error: Any
    log: list[dict[str, Any]]
    code_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """A step with its attempts, without their data: what a timeline draws."""

    id: uuid.UUID
    key: str
    ref: str
    name: str
    title: str
    kind: str
    function: str
    state: str
    label: str
    due_at: datetime
    attempt: int
    failures: int
    crashes: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    caught: bool
    inside: list[str]
    branches: list[str]
    can_edit: str | None
    can_skip: str | None
    can_fire: str | None
    can_answer: str | None
    attempts: Sequence[AttemptLine] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView(StepLine):
    """A step with its attempts."""

    generation: int
    idempotency_key: str
    input: Any
    output: Any
    error: Any
    policy: dict[str, Any]
    leased_by: uuid.UUID | None
    attempts: list[AttemptView] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """A run above or below another one; `step` is the name of the step that started the lower one."""

    id: uuid.UUID
    name: str
    title: str
    label: str
    step: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPowers(RunRow):
    """A run and what may be done with it: None, or why not."""

    tags: list[str]
    parent: Relative | None
    can_retry: str | None
    can_cancel: str | None
    can_suspend: str | None
    can_resume: str | None
    can_resolve: str | None
    can_undo: str | None
    can_erase: str | None
    can_send: str | None
    can_again: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunRun(RunPowers):
    """A run that was recorded just now."""

    input: Any
    context: Any
    output: Any = None
    error: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts(RunPowers):
    """What a run is."""

    queue: str
    priority: int
    rerun_of: uuid.UUID | None
    steps_total: int
    steps_undone: int
    audit_seq: int
    definition_id: uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutline(RunFacts):
    """A run with the lines of its steps; `tasks` are the tasks of its workflow, of the outermost list."""

    tasks: list[str]
    steps: Sequence[StepLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail(RunOutline):
    """A run with its data and its steps."""

    input: Any
    output: Any
    error: Any
    context: Any
    steps: list[StepView]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """One audit event of a run, in words."""

    seq: int
    chain: uuid.UUID
    at: datetime
    kind: str
    actor: str
    reason: str
    data: dict[str, Any]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An event in a list; `event_id` is what its source calls it, `run_id` the run that it is addressed to."""

    id: uuid.UUID
    source: str
    event_id: str
    type: str
    subject: str
    run_id: uuid.UUID | None
    via: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDetail(EventRow):
    """An event with its envelope and the runs that it was handed to."""

    envelope: dict[str, Any]
    runs: list[uuid.UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """A version of an action or a workflow."""

    id: uuid.UUID
    version: str
    state: str
    created_at: datetime
    published_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRow:
    """An action in a list; the version fields are those of the version that a start would use, if any."""

    id: uuid.UUID
    name: str
    title: str
    description: str
    version: str
    state: str
    kind: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionDetail(ActionRow):
    """An action with the contract of one version, and its versions, newest first; a start would use `current`."""

    current: str

    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    retry: dict[str, Any]
    timeout_ms: int
    transactional: bool
    on_crash: str
    queue: str
    undo: str
    notify: dict[str, Any]
    config: dict[str, Any]
    versions: list[VersionRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRow:
    """A workflow in a list."""

    id: uuid.UUID
    name: str
    title: str
    description: str
    version: str
    state: str
    kind: str = "workflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowDetail(WorkflowRow):
    """A workflow with the document of one version, and its versions, newest first; a start would use `current`."""

    current: str

    source: str
    document: dict[str, Any]
    lock: dict[str, Any]
    input_schema: dict[str, Any]
    versions: list[VersionRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """A datastore entry, sensitive fields masked."""

    namespace: str
    key: str
    value: Any
    version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A queue: how many steps are due now and for how many seconds the oldest has been, `recent` of the last hour,
    how many are running, how many workers take its steps, and since when, by whom and why it is paused.
    """

    name: str
    due: int
    oldest_seconds: float
    recent: list[float]
    running: int
    workers: int
    paused_at: datetime | None
    paused_by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRow:
    """A message to one address; `count` is how much it tells of, `because` who named the address."""

    id: uuid.UUID
    kind: str
    definition: str
    channel: str
    address: str
    because: str
    state: str
    count: int
    attempts: int
    error: str
    due_at: datetime
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteRow:
    """A rule, a definition or a run that nobody is told of until a moment; a run has a title and a definition."""

    id: uuid.UUID
    subject: str
    name: str
    until: datetime
    by: str
    reason: str
    title: str = ""
    definition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker process with the step that it holds. `state`: idle, busy, draining, drained or silent; `old_code`: it
    knows other handlers than the worker that was started last.
    """

    id: uuid.UUID
    host: str
    pid: int
    code_version: str
    old_code: bool
    queues: list[str]
    started_at: datetime
    heartbeat_at: datetime
    step: uuid.UUID | None
    run: uuid.UUID | None
    step_name: str
    step_since: datetime | None
    draining_at: datetime | None
    draining_by: str
    state: str
