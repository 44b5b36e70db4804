"""Run a case against the pure engine."""

from typing import Any

from tests.conformance.judging import Came, judge, judge_refusal
from tests.conformance.publishing import TableCatalog, problems, program
from tests.conformance.tables import Case
from tests.support.answers import TABLE
from tests.support.paths import tasks_run
from tests.support.pure_engine import World
from tests.support.pure_rows import PureRun
from workflows.language import Program

LONGEST = 200


def play(case: Case) -> None:
    """Publish the documents of a case, run the last one, compare. Raises AssertionError."""
    catalog, programs = TableCatalog(), {}
    for document in case.documents[:-1]:
        assert not problems(document, catalog)
        one = program(document, catalog)
        catalog.add(one)
        programs[one.name] = one
    if case.refused:
        return judge_refusal(case, problems(case.documents[-1], catalog))
    assert not problems(case.documents[-1], catalog)
    TABLE.fill(case.answers or {})
    main = program(case.documents[-1], catalog)
    return judge(case, _run(main, case.input, programs, list(case.messages)))


def execute(document: Any, value: Any) -> Came:
    """Check and run a document of the features."""
    catalog = TableCatalog()
    assert not problems(document, catalog)
    return _run(program(document, catalog), value, {}, [])


def _run(main: Program, value: Any, programs: dict[str, Program], messages: list[Any]) -> Came:
    world = World(programs)
    run = world.start(main, value)
    while messages and messages[0].get("early"):
        _happen(world, run, messages.pop(0))
    world.settle()
    for message in messages:
        _happen(world, run, message)
        world.settle()
    for _ in range(LONGEST):
        if run.state != "running" or not world.jump():
            break
    state = "waiting" if run.state == "running" else run.state
    path = tasks_run(main, run.path)
    return Came(run.id, state, run.output, run.error, run.resting, path, TABLE.calls, run.undone)


def _happen(world: World, run: PureRun, message: Any) -> None:
    if "fire" in message:
        world.jump()
        return
    event = {"specversion": "1.0", "source": "/tests", **message["event"]}
    subject = event.get("subject")
    world.deliver(event | ({"subject": subject.replace("<run>", run.id)} if subject else {}))
