"""Published definitions as the worker needs them, read once per process: published versions never change."""

import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from actions.models import ActionVersion
from actions.retry import Retry
from workflows.claim import Claimed
from workflows.language import program
from workflows.language.builtins import BUILTINS
from workflows.language.program import Program
from workflows.models import WorkflowVersion

# Kinds of leaves that are executed like built-in functions, without being in the catalog.
ENGINE_OWN = ("emit", "run")
CALLS = {"http": "http-call", "openapi": "openapi-call"}
CALL_VERSION = "1.0.0"
CALL_TIMEOUT_MS = 30_000


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """A published action version, ready to be executed. Without `queue` it runs on its run's."""

    id: uuid.UUID | None
    name: str
    version: str
    kind: str
    config: dict[str, Any]
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    retry: Retry
    timeout_ms: int
    effect: str
    transactional: bool
    on_crash: str
    queue: str

    @property
    def function(self) -> str:
        """Return `name:version`."""
        return f"{self.name}:{self.version}"


def program_of(held: Claimed) -> Program:
    """Return the program that a held step belongs to; a single action is a program of one call."""
    if held.workflow_version is not None:
        return workflow_program(held.workflow_version)
    assert held.run_action_version is not None  # noqa: S101 - the CHECK run_one_definition
    return action_program(held.run_action_version)


@lru_cache(maxsize=1_000)
def action_by_id(version_id: uuid.UUID) -> ActionSpec:
    """Return an action version. Raises ActionVersion.DoesNotExist."""
    return _spec(ActionVersion.objects.select_related("action").get(id=version_id))


@lru_cache(maxsize=1_000)
def action_called(name: str, version: str) -> ActionSpec:
    """Return the action version that a workflow is locked to. Raises ActionVersion.DoesNotExist."""
    return _spec(ActionVersion.objects.select_related("action").get(action__name=name, version=version))


def is_builtin(function: str) -> bool:
    """Tell whether a function is executed by the engine's worker itself, inside the checkpoint's transaction."""
    return function in BUILTINS or function in ENGINE_OWN


@lru_cache(maxsize=len(CALLS))
def call_spec(function: str) -> ActionSpec:
    """Return `call: http` or `call: openapi` as something to execute: its whole configuration is its input."""
    return ActionSpec(
        id=None,
        name=function,
        version=CALL_VERSION,
        kind=CALLS[function],
        config={},
        input_schema={},
        output_schema={},
        retry=Retry(max_attempts=1),
        timeout_ms=CALL_TIMEOUT_MS,
        effect="keyed",
        transactional=False,
        on_crash="retry",
        queue="",
    )


@lru_cache(maxsize=500)
def workflow_program(version_id: uuid.UUID) -> Program:
    """Return the program of a workflow version. Raises WorkflowVersion.DoesNotExist."""
    version = WorkflowVersion.objects.get(id=version_id)
    return program.build(version.document, version.lock)


@lru_cache(maxsize=500)
def action_program(version_id: uuid.UUID) -> Program:
    """Return the program of a single action: one call with the run's input."""
    spec = action_by_id(version_id)
    document = {
        "document": {"dsl": "1.0.3", "namespace": "dotdo", "name": spec.name, "version": spec.version},
        "do": [{spec.name: {"call": spec.function, "with": "${ . }"}}],
    }
    return program.build(document, {spec.function: spec.function})


def _spec(row: ActionVersion) -> ActionSpec:
    return ActionSpec(
        id=row.id,
        name=row.action.name,
        version=row.version,
        kind=row.kind,
        config=row.config,
        input_schema=row.input_schema,
        output_schema=row.output_schema,
        retry=Retry.from_dict(row.retry),
        timeout_ms=row.timeout_ms,
        effect=row.effect,
        transactional=row.transactional,
        on_crash=row.on_crash,
        queue=row.queue,
    )
