"""The built-in functions, each executed in the transaction that holds its step's lock and writes the checkpoint.

A function returns its output, raises ActionError to fail, or returns Rest to wait; a step that was woken calls it
again, so it looks at its rows each time and does nothing twice.
"""

from collections.abc import Callable, Mapping
from typing import Any

from workflows import datastore
from workflows.functions.approval import approval
from workflows.functions.children import run
from workflows.functions.emit import emit
from workflows.functions.mapping import map_items
from workflows.functions.wait_until import wait_until
from workflows.job import Job

Function = Callable[[Job], Any]


def _datastore(job: Job) -> Any:
    return datastore.run(job.function.rpartition(":")[0], job.input, run=job.held.run)


FUNCTIONS: Mapping[str, Function] = {
    **dict.fromkeys(datastore.FUNCTIONS, _datastore),
    "approval": approval,
    "emit": emit,
    "map": map_items,
    "run": run,
    "wait-until": wait_until,
}
