"""What a run waits for, so that its page can say it first: the questions to people, and the events."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from workflows import approvals, queries
from workflows.approvals import Person
from workflows.queries import RunOutline, StepLine, Wanted

SHOWN = 5
OPEN = ("ready", "running", "waiting")


@dataclass(frozen=True)
class Rest:
    """A step that waits: for one of the people who are asked, or for an event of one of the types that are `wanted`."""

    step: Any
    title: str = ""
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    mine: bool = False
    wanted: tuple[Wanted, ...] = ()

    @property
    def type(self) -> str:
        """Return the type that an event sent by hand most likely has, empty when any type fits."""
        return next((each.type for each in self.wanted if each.type), "")


def rests(run: RunOutline, person: Person | None) -> list[Rest]:
    """Return the first few steps that wait for a person or an event; `person` is the reader, if allowed to answer."""
    return list(islice(_all(run, person), SHOWN)) if run.state in ("running", "waiting") else []


def types(run: RunOutline) -> list[str]:
    """Return the types of the events that a run listens for, each once."""
    found = [each.type for rest in rests(run, None) for each in rest.wanted if each.type]
    return list(dict.fromkeys(found))


def _all(run: RunOutline, person: Person | None) -> Iterator[Rest]:
    for step in run.steps:
        if step.can_answer is None:
            yield _question(run, step, person)
        elif step.kind == "listen" and step.state in OPEN:
            yield Rest(step, wanted=tuple(queries.wanted(step.id)))


def _question(run: RunOutline, step: StepLine, person: Person | None) -> Rest:
    found = queries.step(run.id, step.id)
    asked = found.input if found and isinstance(found.input, dict) else {}
    users, groups = approvals.assignees(asked)
    mine = person is not None and approvals.may_answer(asked, person)
    return Rest(step, str(asked.get("title", "")), tuple(users), tuple(groups), mine)
