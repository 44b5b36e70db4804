"""Workflows written in Python, with the words of the language; the result is the document, nothing else.

from workflows.build import Workflow, call, expr, wait

workflow = Workflow("acme", "order", "1.0.0").do(
    call("charge", "charge-card", amount=expr(".total")).undo("refund-card", charge=expr("$output.id")),
    wait("settle", hours=2),
)
operations.draft_workflow(workflow.to_yaml(), actor="cli:deploy")
"""

from workflows.build.catching import retry, try_
from workflows.build.checking import BuildError, Tools, install
from workflows.build.events import (
    each_event,
    event,
    listen_all,
    listen_any,
    listen_one,
    until_all,
    until_any,
    until_one,
)
from workflows.build.functions import approval, compensate, map_, wait_until
from workflows.build.task import Task
from workflows.build.tasks import (
    call,
    case,
    do,
    emit,
    for_each,
    fork,
    http,
    openapi,
    otherwise,
    raise_,
    run_workflow,
    set_,
    switch,
    task,
    wait,
)
from workflows.build.values import expr
from workflows.build.workflow import Workflow

__all__ = [
    "BuildError",
    "Task",
    "Tools",
    "Workflow",
    "approval",
    "call",
    "case",
    "compensate",
    "do",
    "each_event",
    "emit",
    "event",
    "expr",
    "for_each",
    "fork",
    "http",
    "install",
    "listen_all",
    "listen_any",
    "listen_one",
    "map_",
    "openapi",
    "otherwise",
    "raise_",
    "retry",
    "run_workflow",
    "set_",
    "switch",
    "task",
    "try_",
    "until_all",
    "until_any",
    "until_one",
    "wait",
    "wait_until",
]
