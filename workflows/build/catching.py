"""`try_(...)`, which is a task only with its `.catch(...)`, and what to retry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.build.checking import check_retry
from workflows.build.task import Items, Task, task_list
from workflows.build.values import duration, given, plain


@dataclass(frozen=True, slots=True)
class Trying:
    """Tasks whose faults will be caught."""

    name: str
    tasks: Items

    def catch(
        self,
        *tasks: Task,
        errors: Mapping[str, Any] | None = None,
        as_: str | None = None,
        when: str | None = None,
        except_when: str | None = None,
        retry: Any = None,
        then: str | None = None,
    ) -> Task:
        """Catch the faults that match, retry what failed, then run `tasks`; without arguments catch everything.

        `errors` has the fields that must be equal, such as `{"status": 409}`; `retry` is a policy, or a name of
        `use.retries`.
        """
        caught = given(as_=as_, when=when, exceptWhen=except_when, retry=retry, then=then)
        if errors is not None:
            caught["errors"] = {"with": dict(errors)}
        if tasks:
            caught["do"] = task_list(f'try_("{self.name}").catch', tasks)
        return Task(self.name, {"try": self.tasks, "catch": caught}, "try_")


def try_(name: str, *tasks: Task) -> Trying:
    """Run tasks and catch what goes wrong in them: finish it with `.catch(...)`."""
    return Trying(name, task_list(f'try_("{name}")', tasks))


def retry(
    *,
    delay: Any = None,
    backoff: str | None = None,
    jitter: tuple[Any, Any] | None = None,
    count: int | None = None,
    attempt: Any = None,
    limit: Any = None,
    when: str | None = None,
    except_when: str | None = None,
) -> dict[str, Any]:
    """Describe what to retry: `count` times after the first, `attempt` the longest one may take, `limit` all together.

    `backoff` is constant, linear or exponential; `jitter` is a random addition (from, to). Raises BuildError.
    """
    policy = given(
        when=when,
        exceptWhen=except_when,
        delay=_duration(delay),
        backoff={backoff: {}} if backoff else None,
        jitter={"from": _duration(jitter[0]), "to": _duration(jitter[1])} if jitter else None,
    )
    of_attempt = given(count=count, duration=_duration(attempt))
    limits = given(attempt=of_attempt or None, duration=_duration(limit))
    whole: dict[str, Any] = plain("retry", {**policy, **({"limit": limits} if limits else {})})
    check_retry("retry", whole)
    return whole


def _duration(value: Any) -> Any:
    return None if value is None else duration("retry", value, {})
