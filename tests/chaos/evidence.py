"""What is left when everything has stopped: the rows of the database, what the sinks counted, what the clients know."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from tests.chaos.arena import Connection
from tests.chaos.sinks import Delivery
from tests.chaos.view import View


class Run(NamedTuple):
    id: str
    name: str
    state: str
    reason: str
    input: Any
    output: Any
    error: Any
    key: str
    trigger: str
    parent_step: str | None
    parent_index: int
    resolved_at: datetime | None


class Step(NamedTuple):
    id: str
    run: str
    key: str
    name: str
    kind: str
    function: str
    state: str
    claim: int
    attempt: int
    crashes: int
    generation: int
    caught: bool
    lease_expires_at: datetime | None
    input: Any
    late: float | None  # seconds between the moment when it was due and its end
    due: float  # seconds between the start of its run and that moment


class Branch(NamedTuple):
    id: str
    run: str
    state: str
    open: int
    audit_seq: int
    audit_head: bytes


class Attempt(NamedTuple):
    step: str
    number: int
    outcome: str
    code: str


class Told(NamedTuple):
    """An audit event."""

    id: int
    chain: str
    seq: int
    run: str | None
    kind: str
    data: dict[str, Any]


class Fire(NamedTuple):
    schedule: str
    nominal_at: datetime
    run: str | None
    skipped: bool


class Event(NamedTuple):
    id: str
    source: str
    event_id: str
    type: str
    run: str | None


class Message(NamedTuple):
    id: int
    run: str
    step: str | None
    kind: str
    event: str | None
    consumed: bool


class Key(NamedTuple):
    definition: str
    key: str
    run: str


class Entry(NamedTuple):
    namespace: str
    key: str
    value: Any
    version: int


class Undo(NamedTuple):
    run: str
    place: str
    state: str


class Effect(NamedTuple):
    """A row of the ledger."""

    id: int
    run: str
    step: str
    name: str
    undo: bool


class Notice(NamedTuple):
    id: int
    run: str | None
    state: str


class Notification(NamedTuple):
    id: str
    state: str
    overdue: float  # seconds since somebody might have taken it: it was due, and leased by nobody


class Mail(NamedTuple):
    """A mail that arrived: its Message-ID and its subject."""

    number: str
    subject: str


class Break(NamedTuple):
    """A link of an audit chain that does not fit."""

    chain: str
    seq: int
    why: str


QUERIES: dict[str, tuple[type[NamedTuple], str]] = {
    "runs": (
        Run,
        """
        SELECT id::text, name, state, reason, input, output, error, key, trigger, parent_step::text, parent_index,
            resolved_at FROM run ORDER BY id
        """,
    ),
    "steps": (
        Step,
        """
        SELECT s.id::text, s.run_id::text, s.key, s.name, s.kind, s.function, s.state, s.claim, s.attempt, s.crashes,
            s.generation, s.caught, s.lease_expires_at, s.input, extract(epoch FROM s.finished_at - s.due_at)::float8,
            extract(epoch FROM s.due_at - r.created_at)::float8 FROM step s JOIN run r ON r.id = s.run_id ORDER BY s.id
        """,
    ),
    "branches": (Branch, "SELECT id::text, run_id::text, state, open, audit_seq, audit_head FROM branch"),
    "attempts": (
        Attempt,
        "SELECT step_id::text, number, outcome, coalesce(error->>'code', '') FROM attempt ORDER BY id",
    ),
    "told": (Told, "SELECT id, chain::text, seq, run::text, kind, data::json FROM audit_event ORDER BY id"),
    "fires": (Fire, "SELECT schedule_id::text, nominal_at, run_id::text, skipped FROM schedule_fire"),
    "inbox": (Event, "SELECT id::text, source, event_id, type, run_id::text FROM event"),
    "messages": (
        Message,
        "SELECT id, run_id::text, step_id::text, kind, event_id::text, consumed_at IS NOT NULL FROM message",
    ),
    "keys": (Key, "SELECT definition, key, run_id::text FROM idempotency_key"),
    "entries": (Entry, "SELECT namespace, key, value, version FROM entry"),
    "undos": (Undo, "SELECT run_id::text, place, state FROM undo"),
    "notices": (Notice, "SELECT id, run::text, state FROM notice"),
    "notifications": (
        Notification,
        """
        SELECT id::text, state, extract(epoch FROM clock_timestamp()
            - greatest(due_at, lease_expires_at))::float8 FROM notification
        """,
    ),
    "ledger": (Effect, "SELECT id, run::text, step, name, undo FROM chaos_ledger ORDER BY id"),
}


@dataclass
class Evidence:
    """All rows, read once. The groups below are made when an invariant asks for them."""

    runs: list[Run] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    fires: list[Fire] = field(default_factory=list)
    inbox: list[Event] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    undos: list[Undo] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    ledger: list[Effect] = field(default_factory=list)
    subscribed: set[str] = field(default_factory=set)
    schedules: dict[str, str] = field(default_factory=dict)
    broken: list[Break] = field(default_factory=list)
    heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    view: View = field(default_factory=View)
    calm: bool = False

    @cached_property
    def run(self) -> dict[str, Run]:
        """The runs by id."""
        return {run.id: run for run in self.runs}

    @cached_property
    def steps_of(self) -> dict[str, list[Step]]:
        """The steps of each run, in the order in which they began."""
        return _grouped(self.steps, "run")

    @cached_property
    def told_of(self) -> dict[str, list[Told]]:
        """What the audit trail says of each run, in the order in which it was written."""
        return _grouped([told for told in self.told if told.run], "run")

    @cached_property
    def effects_of(self) -> dict[str, list[Effect]]:
        """The rows of the ledger of each run, in order."""
        return _grouped(self.ledger, "run")

    @cached_property
    def arrived(self) -> dict[str, list[Delivery]]:
        """What reached the sink under each key, in order."""
        return _grouped(self.deliveries, "key")

    @cached_property
    def children_of(self) -> dict[str, list[Run]]:
        """The runs that each step started."""
        return _grouped([run for run in self.runs if run.parent_step], "parent_step")


def read(connection: Connection) -> Evidence:
    """Read what the database holds; sinks, clients and chains are added by the caller."""
    found = {name: [row(*values) for values in connection.execute(query)] for name, (row, query) in QUERIES.items()}
    evidence = Evidence(**found)  # type: ignore[arg-type]
    evidence.branches = [branch._replace(audit_head=bytes(branch.audit_head)) for branch in evidence.branches]
    evidence.subscribed = {str(row[0]) for row in connection.execute("SELECT step_id FROM subscription") if row[0]}
    query = "SELECT DISTINCT ON (chain) chain::text, seq, hash FROM audit_event ORDER BY chain, seq DESC"
    evidence.heads = {str(chain): (seq, bytes(head)) for chain, seq, head in connection.execute(query)}
    query = "SELECT s.id::text, w.name FROM schedule s JOIN workflow w ON w.id = s.workflow_id"
    evidence.schedules = {str(schedule): str(name) for schedule, name in connection.execute(query)}
    return evidence


def _grouped(rows: Any, attribute: str) -> dict[str, Any]:
    found: dict[str, Any] = defaultdict(list)
    for row in rows:
        found[getattr(row, attribute)].append(row)
    return found
