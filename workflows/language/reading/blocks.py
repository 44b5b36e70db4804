"""Tasks with task lists inside, and the events that such lists are made for."""

from collections.abc import Mapping
from typing import Any

from workflows.language import templates
from workflows.language.events import Emit, Foreach, Listen
from workflows.language.reading.parts import read_expression, read_retry, read_schema, read_strategy, read_transform
from workflows.language.reading.source import Reading
from workflows.language.tasks import Catch, Do, For, Fork, Try


def read_do(task: Reading) -> Do:
    """Read a sequence."""
    return Do(tasks=task.tasks(task.definition["do"], "do"), **task.common)


def read_for(task: Reading) -> For:
    """Read a loop."""
    loop = task.definition["for"]
    return For(
        each=loop.get("each", "item"),
        at=loop.get("at", "index"),
        in_=templates.compile_always(loop["in"]),
        while_=read_expression(task.definition, "while"),
        tasks=task.tasks(task.definition["do"], "do"),
        **task.common,
    )


def read_fork(task: Reading) -> Fork:
    """Read branches."""
    fork = task.definition["fork"]
    branches = task.tasks(fork["branches"], "fork/branches")
    return Fork(branches=branches, compete=fork.get("compete", False), **task.common)


def read_try(task: Reading) -> Try:
    """Read tasks with a `catch`."""
    tasks = task.tasks(task.definition["try"], "try")
    return Try(tasks=tasks, catch=_read_catch(task, task.definition["catch"]), **task.common)


def _read_catch(task: Reading, given: Mapping[str, Any]) -> Catch:
    wanted = given.get("errors", {}).get("with", {})
    return Catch(
        errors={key: templates.compile(value) for key, value in wanted.items()},
        as_=given.get("as", "error"),
        when=read_expression(given, "when"),
        except_when=read_expression(given, "exceptWhen"),
        retry=read_retry(given["retry"], task.source.use) if "retry" in given else None,
        tasks=task.tasks(given["do"], "catch/do") if "do" in given else None,
        then=given.get("then"),
    )


def read_emit(task: Reading) -> Emit:
    """Read the event that is sent."""
    return Emit(event=templates.compile(task.definition["emit"]["event"]["with"]), **task.common)


def read_listen(task: Reading) -> Listen:
    """Read what is waited for."""
    listen = task.definition["listen"]
    foreach = _read_foreach(task, task.definition["foreach"]) if "foreach" in task.definition else None
    return Listen(to=read_strategy(listen["to"]), read=listen.get("read", "data"), foreach=foreach, **task.common)


def _read_foreach(task: Reading, given: Mapping[str, Any]) -> Foreach:
    outgoing, export = given.get("output", {}), given.get("export", {})
    return Foreach(
        item=given.get("item", "item"),
        at=given.get("at", "index"),
        tasks=task.tasks(given["do"], "foreach/do") if "do" in given else None,
        output_as=read_transform(outgoing, "as"),
        output_schema=read_schema(outgoing),
        export_as=read_transform(export, "as"),
        export_schema=read_schema(export),
    )
