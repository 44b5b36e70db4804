"""From the registry to published versions: what is new is published, what changed under its old number is refused."""

from collections.abc import Iterable, Iterator

from django.db import connection, transaction
from django.db.models.functions import Now

from actions import publishing
from actions.contract import Contract
from actions.models import Action, ActionVersion
from actions.registry import ActionSpec
from audit import recording

LOCK = 6_130_771_402  # one sync at a time, on all hosts


class ContractChanged(Exception):
    """Versions in the code that contradict what is published; nothing was changed."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("nothing was published:\n  " + "\n  ".join(problems))
        self.problems = problems


def sync(specs: Iterable[ActionSpec], *, actor: str) -> list[str]:
    """Publish all new versions and return their labels (`name:version`). All or nothing. Raises ContractChanged."""
    ordered = list(specs)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        known = _published(ordered)
        problems = [text for spec in ordered if (text := _problem(spec, known))]
        if problems := [*problems, *_undo_problems(ordered)]:
            raise ContractChanged(problems)
        new = [spec for spec in ordered if (spec.name, spec.version) not in known]
        for spec in ordered:
            _describe(spec)
        return [_publish(spec, actor) for spec in new]


def _published(specs: list[ActionSpec]) -> dict[tuple[str, str], ActionVersion]:
    rows = ActionVersion.objects.filter(action__name__in={spec.name for spec in specs}).select_related("action")
    return {(row.action.name, row.version): row for row in rows}


def _problem(spec: ActionSpec, known: dict[tuple[str, str], ActionVersion]) -> str | None:
    row = known.get((spec.name, spec.version))
    if row is None:
        return None
    label = f"{spec.name}:{spec.version}"
    if row.state == ActionVersion.State.DRAFT:
        return f"{label} exists as a draft made by hand: delete the draft or give the code another version"
    if changed := spec.contract.differences(Contract.of(row)):
        return (
            f"{label} was published with another {', '.join(changed)}: give it a new version "
            f"(for example version={_next(spec.version)!r}), because runs are pinned to what was published"
        )
    return None


def _undo_problems(specs: list[ActionSpec]) -> Iterator[str]:
    here = {spec.name for spec in specs}
    for spec in specs:
        undo = spec.contract.undo
        if undo and undo not in here and not publishing.is_published(undo):
            yield (
                f"{spec.name}:{spec.version} is undone by {undo!r}, and there is no published action of that name: "
                "register or publish it, or correct the name"
            )


def _next(version: str) -> str:
    major, minor, _ = version.split(".")
    return f"{major}.{int(minor) + 1}.0"


def _describe(spec: ActionSpec) -> None:
    """Keep title and description as the code says; the newest version comes last and wins."""
    Action.objects.update_or_create(name=spec.name, defaults={"title": spec.title, "description": spec.description})


def _publish(spec: ActionSpec, actor: str) -> str:
    action = Action.objects.get(name=spec.name)
    ActionVersion.objects.create(
        action=action,
        version=spec.version,
        state=ActionVersion.State.PUBLISHED,
        digest=spec.contract.digest(),
        published_at=Now(),
        **spec.contract.as_dict(),
    )
    recording.record(
        chain=action.id,
        kind="action.published",
        actor=actor,
        data={"name": spec.name, "version": spec.version, "digest": spec.contract.digest(), "kind": "python"},
    )
    return f"{spec.name}:{spec.version}"
