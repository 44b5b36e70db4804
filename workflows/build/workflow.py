"""A workflow under construction: everything of the document around its tasks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.build.checking import Tools, check_growing, check_whole, problems_of, refuse
from workflows.build.notation import to_yaml
from workflows.build.task import Task, data, task_list
from workflows.build.values import duration, given, plain
from workflows.language import loader
from workflows.language.catalog import Catalog
from workflows.language.validator import Problem

DSL = "1.0.3"
ORDER = ("document", "input", "use", "timeout", "schedule", "do", "output", "metadata")


@dataclass(frozen=True, slots=True, init=False)
class Workflow:
    """A workflow of the language. Methods return a changed copy; what cannot be published raises BuildError at once."""

    _document: Mapping[str, Any]

    def __init__(
        self,
        namespace: str,
        name: str,
        version: str,
        *,
        title: str | None = None,
        summary: str | None = None,
        tags: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        queue: str | None = None,
        priority: int | None = None,
        on_fault: str | None = None,
        missed: str | None = None,
        timezone: str | None = None,
        notify: Mapping[str, Any] | None = None,
    ) -> None:
        """Name it. What follows `metadata` is kept in `metadata.dotdo`; `notify` says who is told of failed runs."""
        own = given(queue=queue, priority=priority, onFault=on_fault, missed=missed, timezone=timezone, notify=notify)
        more = {**(metadata or {}), **({"dotdo": own} if own else {})}
        about = {"dsl": DSL, "namespace": namespace, "name": name, "version": version}
        about |= given(title=title, summary=summary, tags=tags, metadata=more or None)
        self._keep("", {"document": about})

    def input(self, *, schema: Mapping[str, Any] | None = None, from_: Any = None) -> "Workflow":
        """Check the input against a JSON Schema, and transform it."""
        return self._with("input", {"input": data("from", from_, schema)})

    def output(self, as_: Any = None, *, schema: Mapping[str, Any] | None = None) -> "Workflow":
        """Transform the output, and check the result against a JSON Schema."""
        return self._with("output", {"output": data("as", as_, schema)})

    def use(
        self,
        *,
        authentications: Mapping[str, Any] | None = None,
        errors: Mapping[str, Any] | None = None,
        functions: Mapping[str, Any] | None = None,
        retries: Mapping[str, Any] | None = None,
        secrets: list[str] | None = None,
        timeouts: Mapping[str, Any] | None = None,
    ) -> "Workflow":
        """Define by name what tasks use. A function is a task that calls, such as `call("charge", "charge-card")`."""
        tasks = functions and {name: _definition(task) for name, task in functions.items()}
        parts = given(
            authentications=authentications,
            errors=errors,
            functions=tasks,
            retries=retries,
            secrets=secrets,
            timeouts=timeouts,
        )
        return self._with("use", {"use": {**self._document.get("use", {}), **parts}})

    def timeout(self, after: Any = None, *, use: str | None = None, **units: int) -> "Workflow":
        """Fail the run with `timeout` after a duration, or one that `use.timeouts` names."""
        return self._with("timeout", {"timeout": use or {"after": duration(f"{self}.timeout", after, units)}})

    def schedule(
        self, *, every: Any = None, cron: str | None = None, after: Any = None, on: Any = None, read: str | None = None
    ) -> "Workflow":
        """Start runs by themselves: in intervals, by a cron line, after each other, or when an event comes."""
        return self._with("schedule", {"schedule": given(every=every, cron=cron, after=after, on=on, read=read)})

    def do(self, *tasks: Task) -> "Workflow":
        """Say what it does: all of its tasks at once."""
        if "do" in self._document:
            raise refuse(f"{self}.do", "it has its tasks already; give all of them in one .do(...)", "/do")
        return self._with("do", {"do": task_list(f"{self}.do", tasks)})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Workflow":
        """Take a document. Raises BuildError when it could not be published, whatever functions there are."""
        check_whole("Workflow.from_dict", document)
        workflow = cls.__new__(cls)
        object.__setattr__(workflow, "_document", plain("Workflow.from_dict", document))
        return workflow

    @classmethod
    def from_yaml(cls, text: str) -> "Workflow":
        """Read a document in YAML or JSON. Raises BuildError."""
        try:
            return cls.from_dict(loader.load(text))
        except loader.LoadError as error:
            raise refuse("Workflow.from_yaml", str(error)) from None

    @property
    def tasks(self) -> list[Task]:
        """Return the tasks of the first level."""
        return [Task(name, task) for item in self._document.get("do", []) for name, task in item.items()]

    def to_dict(self) -> dict[str, Any]:
        """Return the document. Raises BuildError while it is not complete."""
        if "do" not in self._document:
            raise refuse(str(self), "it has no tasks; add some with .do(...)", "/do")
        check_whole(str(self), self._document)
        copy: dict[str, Any] = plain(str(self), self._document)
        return copy

    def to_yaml(self) -> str:
        """Return the document as YAML, which `operations.draft_workflow` takes. Raises BuildError like `to_dict`."""
        document = self.to_dict()
        return to_yaml({key: document[key] for key in (*ORDER, *document) if key in document})

    def check(self, catalog: Catalog, *, tools: Tools | None = None) -> list[Problem]:
        """Return all that keeps it from being published, with the functions that there really are."""
        return problems_of(self._document, catalog, tools)

    def __str__(self) -> str:
        about = self._document["document"]
        return f'Workflow("{about.get("name")}")'

    def _with(self, method: str, parts: Mapping[str, Any]) -> "Workflow":
        changed = type(self).__new__(type(self))
        changed._keep(f".{method}", {**self._document, **parts})  # noqa: SLF001 - it is one of ours
        return changed

    def _keep(self, method: str, document: Mapping[str, Any]) -> None:
        """Keep a document that is still growing, once it is checked."""
        name = document["document"]["name"]
        label = f'Workflow("{name}"){method}'
        object.__setattr__(self, "_document", plain(label, document))
        check_growing(label, self._document)


def _definition(task: Any) -> Any:
    return task.definition if isinstance(task, Task) else task
