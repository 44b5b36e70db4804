"""One line of JSON for a run and all that belongs to it, as the API shows it to people who may not see masked fields.

Rows are streamed in the order of their runs, so that a run of any size is written with little memory. Values that are
stored apart are put in their place; markers of secrets are shortened, sensitive fields masked.
"""

import json
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django.db import connection
from psycopg.rows import dict_row

from actions import markers
from actions.models import ActionVersion
from actions.sensitive import mask
from dotdo_site.lib import signs
from workflows import payloads
from workflows.models import Payload, WorkflowVersion

FORMAT = 1
FETCH = 500
REMEMBERED = 16
Row = dict[str, Any]
_RUNS = """
    SELECT id AS of, id, kind, name, coalesce(workflow_version_id, action_version_id) AS version, state, reason, title,
        key, tags, trigger, actor, root, parent_step, parent_index, depth, rerun_of, queue, priority, deadline_at,
        created_at, started_at, finished_at, resolved_at, stopped_at, input, output, error, context
    FROM run WHERE id = ANY(%s) ORDER BY id"""
# What is masked by no schema, only by the names of its fields, comes from these.
_PARTS = {
    "idempotency_keys": """
        SELECT run_id AS of, definition, key, created_at FROM idempotency_key WHERE run_id = ANY(%s) ORDER BY run_id, id
        """,
    "moments": """
        SELECT f.run_id AS of, w.name AS schedule, f.nominal_at FROM schedule_fire f
        JOIN schedule s ON s.id = f.schedule_id JOIN workflow w ON w.id = s.workflow_id
        WHERE f.run_id = ANY(%s) ORDER BY f.run_id, f.id""",
    "deliveries": """
        SELECT d.run_id AS of, e.name AS endpoint, d.message_id, d.outcome, d.received_at FROM delivery d
        JOIN endpoint e ON e.id = d.endpoint_id WHERE d.run_id = ANY(%s) ORDER BY d.run_id, d.id""",
    "branches": """
        SELECT run_id AS of, id, parent_id AS parent, frame, index, state, rest, output, error, closed_at
        FROM branch WHERE run_id = ANY(%s) ORDER BY run_id, id""",
    "messages": """
        SELECT m.run_id AS of, m.step_id AS step, m.kind, m.data, e.envelope AS event, m.created_at, m.consumed_at
        FROM message m LEFT JOIN event e ON e.id = m.event_id WHERE m.run_id = ANY(%s) ORDER BY m.run_id, m.id""",
    "late_events": """
        SELECT e.run_id AS of, e.envelope AS event, e.received_at FROM event e WHERE e.run_id = ANY(%s)
            AND NOT EXISTS (SELECT FROM message m WHERE m.event_id = e.id AND m.run_id = e.run_id)
        ORDER BY e.run_id, e.id""",
    "undo": """
        SELECT run_id AS of, place, key, ref, name, function, input, state, step_id AS step
        FROM undo WHERE run_id = ANY(%s) ORDER BY run_id, id""",
}
_STEPS = """
    SELECT run_id AS of, id, branch_id AS branch, key, ref, name, kind, function, action_version_id AS version, state,
        due_at, attempt, failures, crashes, generation, queue, priority, input, output, error, caught, created_at,
        started_at, finished_at
    FROM step WHERE run_id = ANY(%s) ORDER BY run_id, id"""
_ATTEMPTS = """
    SELECT s.run_id, a.step_id, a.number, a.outcome, a.input, a.output, a.error, a.log, a.worker, a.code_version,
        a.started_at, a.finished_at
    FROM attempt a JOIN step s ON s.id = a.step_id WHERE s.run_id = ANY(%s) ORDER BY s.run_id, s.id, a.number"""
_JSON = {"input", "output", "error", "context", "data", "event", "log"}


def lines(runs: list[uuid.UUID]) -> Iterator[str]:
    """Yield the lines of runs, in pieces, in the caller's transaction."""
    parts = {name: _Rows(text, runs, _of) for name, text in _PARTS.items()}
    steps = _Rows(_STEPS, runs, _of)
    attempts = _Rows(_ATTEMPTS, runs, lambda row: (row["run_id"], row["step_id"]))
    versions = _Versions()
    for run in _stream(_RUNS, runs):
        number, opener = run["of"], _Opener(run["of"])
        schemas = versions.of_run(run["kind"], run["version"])
        yield f'{{"format":{FORMAT},"run":{_text(opener.open(run, *schemas[:2]) | {"version": schemas[2]})}'
        for name, rows in parts.items():
            yield from _list(name, (_text(opener.open(row)) for row in rows.of(number)))
        yield from _list("steps", (_step(row, attempts, opener, versions) for row in steps.of(number)))
        yield "}\n"


def _step(row: Row, attempts: "_Rows", opener: "_Opener", versions: "_Versions") -> str:
    taking, giving, version = versions.of_action(row["version"])
    found = [opener.open(each, taking, giving) for each in attempts.of((row["of"], row["id"]))]
    return _text(opener.open(row, taking, giving) | {"version": version, "attempts": found})


def _list(name: str, items: Iterable[str]) -> Iterator[str]:
    yield f',"{name}":['
    for index, item in enumerate(items):
        yield f",{item}" if index else item
    yield "]"


def _of(row: Row) -> Any:
    return row["of"]


class _Rows:
    """Rows in the order of a key, handed out for one key after the other."""

    def __init__(self, text: str, runs: list[uuid.UUID], key: Callable[[Row], Any]) -> None:
        self._rows, self._key = _stream(text, runs), key
        self._next = next(self._rows, None)

    def of(self, key: Any) -> Iterator[Row]:
        while self._next is not None and self._key(self._next) <= key:
            row, fits = self._next, self._key(self._next) == key
            self._next = next(self._rows, None)
            if fits:
                yield row


class _Opener:
    """Makes of the rows of one run what may be shown."""

    def __init__(self, run: uuid.UUID) -> None:
        self._run = run
        self._found: OrderedDict[str, Any] = OrderedDict()

    def open(self, row: Mapping[str, Any], taking: Any = None, giving: Any = None) -> Row:
        """Return a row without what only helps to find it, its values opened and masked."""
        hidden = {"of", "run_id", "step_id"}
        schemas = {"input": taking, "output": giving}
        return {
            name: self._value(value, schemas.get(name)) if name in _JSON else value
            for name, value in row.items()
            if name not in hidden
        }

    def _value(self, text: Any, schema: Any) -> Any:
        if text is None:
            return None
        value = json.loads(text) if isinstance(text, str) else text
        if payloads.is_reference(value):
            value = self._load(value[payloads.REFERENCE])
        return mask(schema or {}, markers.shorten(value))

    def _load(self, digest: str) -> Any:
        if digest not in self._found:
            self._found[digest] = Payload.objects.values_list("value", flat=True).get(run=self._run, digest=digest)
        self._found.move_to_end(digest)
        while len(self._found) > REMEMBERED:
            self._found.popitem(last=False)
        return self._found[digest]


class _Versions:
    """What versions say of inputs and outputs; each is read once."""

    def __init__(self) -> None:
        self._known: dict[uuid.UUID | None, tuple[Any, Any, str]] = {None: ({}, {}, "")}

    def of_run(self, kind: str, version: uuid.UUID) -> tuple[Any, Any, str]:
        """Return the schemas of a definition, and the number of the version."""
        if kind == "action":
            return self.of_action(version)
        if version not in self._known:
            row = WorkflowVersion.objects.only("version", "input_schema").get(pk=version)
            self._known[version] = (row.input_schema, {}, row.version)
        return self._known[version]

    def of_action(self, version: uuid.UUID | None) -> tuple[Any, Any, str]:
        """Return the schemas of an action, and the number of the version; nothing for a step that calls none."""
        if version is not None and version not in self._known:
            row = ActionVersion.objects.only("version", "input_schema", "output_schema").get(pk=version)
            self._known[version] = (row.input_schema, row.output_schema, row.version)
        return self._known[version]


def _stream(text: str, runs: list[uuid.UUID]) -> Iterator[Row]:
    """Yield the rows of a query, a few hundred at a time in memory: a cursor of the server, in this transaction."""
    name = f"retention_{uuid.uuid4().hex}"
    with connection.connection.cursor(name=name, row_factory=dict_row) as cursor:
        cursor.itersize = FETCH
        cursor.execute(text, [runs])
        for number, row in enumerate(cursor):
            if number % FETCH == 0:
                signs.give()
            yield row


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
