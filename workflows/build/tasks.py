"""The tasks of the language, one function each. The first argument is always the name of the task."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflows.build.checking import refuse
from workflows.build.task import Task, task_list
from workflows.build.values import duration, given

Arguments = Mapping[str, Any]


def call(name: str, function: str, with_: Arguments | None = None, /, **arguments: Any) -> Task:
    """Call a function: an action, a function of `use.functions`, or a built-in one such as `datastore.set`.

    Arguments whose names are no Python names are given as a mapping.
    """
    merged = {**(with_ or {}), **arguments}
    return Task(name, {"call": function, **({"with": merged} if merged else {})}, "call")


def http(
    name: str,
    method: str,
    uri: str,
    /,
    *,
    headers: Any = None,
    query: Any = None,
    body: Any = None,
    output: str | None = None,
    redirect: bool | None = None,
    authentication: Any = None,
) -> Task:
    """Send an HTTP request. `authentication` is the name of one in `use`, or its definition."""
    endpoint = uri if authentication is None else {"uri": uri, "authentication": _authentication(authentication)}
    more = given(headers=headers, query=query, body=body, output=output, redirect=redirect)
    return Task(name, {"call": "http", "with": {"method": method, "endpoint": endpoint, **more}}, "http")


def openapi(
    name: str,
    document: str,
    operation: str,
    parameters: Arguments | None = None,
    /,
    *,
    output: str | None = None,
    redirect: bool | None = None,
    authentication: Any = None,
) -> Task:
    """Call an operation of a service that an OpenAPI document describes."""
    known = None if authentication is None else _authentication(authentication)
    more = given(parameters=parameters, authentication=known, output=output, redirect=redirect)
    return Task(
        name,
        {"call": "openapi", "with": {"document": {"endpoint": document}, "operationId": operation, **more}},
        "openapi",
    )


def set_(name: str, value: Any = None, /, **members: Any) -> Task:
    """Replace the data with a value: an expression, or the members of an object."""
    if value is not None and members:
        raise refuse(f'set_("{name}")', "give one value or members, not both")
    return Task(name, {"set": members if value is None else value}, "set_")


def do(name: str, *tasks: Task) -> Task:
    """Run tasks one after the other, in a scope of their own."""
    return Task(name, {"do": task_list(f'do("{name}")', tasks)}, "do")


def wait(name: str, length: Any = None, /, **units: int) -> Task:
    """Rest for a duration: units, a text such as `PT5M`, a timedelta, or an expression."""
    return Task(name, {"wait": duration(f'wait("{name}")', length, units)}, "wait")


def case(name: str, when: str, then: str) -> dict[str, Any]:
    """Describe a case of a switch."""
    return {name: {"when": when, "then": then}}


def otherwise(then: str, name: str = "otherwise") -> dict[str, Any]:
    """Describe the case of a switch that is taken when no other is."""
    return {name: {"then": then}}


def switch(name: str, *cases: Arguments) -> Task:
    """Go where the first case that is true says."""
    return Task(name, {"switch": list(cases)}, "switch")


def for_each(
    name: str,
    in_: Any,
    /,
    *,
    do: Sequence[Task],
    each: str | None = None,
    at: str | None = None,
    while_: str | None = None,
) -> Task:
    """Run tasks for each item of a list, one after the other; `$item` and `$index` unless named otherwise."""
    tasks = task_list(f'for_each("{name}")', do)
    definition: dict[str, Any] = {"for": given(each=each, in_=in_, at=at), **given(while_=while_), "do": tasks}
    return Task(name, definition, "for_each")


def fork(name: str, *branches: Task, compete: bool | None = None) -> Task:
    """Run tasks at the same time; with `compete` the first one that ends is the only one that counts."""
    parts = {"branches": task_list(f'fork("{name}")', branches), **given(compete=compete)}
    return Task(name, {"fork": parts}, "fork")


def raise_(name: str, error: str | None = None, /, **fields: Any) -> Task:
    """Fail with an error: a name of `use.errors`, or its `type`, `status`, `title` and `detail`."""
    return Task(name, {"raise": {"error": fields if error is None else error}}, "raise_")


def run_workflow(
    name: str,
    namespace: str,
    workflow: str,
    version: str = "latest",
    /,
    *,
    input: Any = None,  # noqa: A002 - the word of the language
    await_: bool | None = None,
) -> Task:
    """Run another workflow; with `await_=False`, start it and go on."""
    of = {"namespace": namespace, "name": workflow, "version": version, **given(input=input)}
    return Task(name, {"run": {"workflow": of, **given(await_=await_)}}, "run_workflow")


def emit(name: str, type: str, /, data: Any = None, **attributes: Any) -> Task:  # noqa: A002 - CloudEvents' word
    """Send an event."""
    event = {"type": type, **given(data=data), **attributes}
    return Task(name, {"emit": {"event": {"with": event}}}, "emit")


def task(name: str, definition: Arguments) -> Task:
    """Take a definition as a document would have it."""
    return Task(name, definition)


def _authentication(value: Any) -> Any:
    return {"use": value} if isinstance(value, str) else value
