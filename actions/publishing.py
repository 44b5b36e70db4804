"""Actions made without code: a draft is checked when it is saved and when it is published, which makes it immutable."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from actions import notify as telling
from actions import schemas
from actions.contract import EFFECTS, NAME, ON_CRASH, QUEUE, VERSION, Contract
from actions.handlers.kinds import KINDS
from actions.limits import check_value
from actions.models import Action, ActionVersion
from actions.problems import Problem, pointer
from actions.retry import Retry
from audit import recording
from dotdo_site.lib import durations

MAX_TIMEOUT_MS = 86_400_000
BY_HAND = tuple(name for name in KINDS if name != "python")


class DefinitionInvalid(ValueError):
    """The definition cannot be saved or published: every problem with its pointer."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def create_draft(
    name: str,
    kind: str,
    config: Mapping[str, Any],
    input_schema: Mapping[str, Any] | None = None,
    output_schema: Mapping[str, Any] | None = None,
    *,
    actor: str,
    version: str = "1.0.0",
    title: str = "",
    description: str = "",
    retry: Mapping[str, Any] | None = None,
    timeout: str | float = "30s",
    effect: str = "keyed",
    on_crash: str = "retry",
    queue: str = "default",
    undo: str = "",
    notify: Mapping[str, Any] | None = None,
    reason: str = "",
    replace_draft: bool = False,
) -> ActionVersion:
    """Save a draft of kind http or email and return it; schemas may be shorthand. Raises DefinitionInvalid.

    `replace_draft` writes over a draft of the same version instead of refusing it.
    """
    shapes, found = _shapes(input_schema, output_schema)
    timeout_ms, timeout_problems = _milliseconds(timeout)
    contract = Contract(
        kind=kind,
        config=_copy(config),
        input_schema=shapes[0],
        output_schema=shapes[1],
        retry=_copy({} if retry is None else retry),
        timeout_ms=timeout_ms,
        effect=effect,
        transactional=False,
        on_crash=on_crash,
        queue=queue,
        undo=undo,
        notify=_copy(notify or {}),
    )
    action = Action(name=name, title=title, description=description)
    found += [*timeout_problems, *problems(ActionVersion(action=action, version=version, **contract.as_dict()))]
    if found:
        raise DefinitionInvalid(found)
    return _save(action, version, contract, actor, reason, replace_draft=replace_draft)


def problems(version: ActionVersion) -> list[Problem]:
    """Return everything that keeps a version, saved or not, from being published."""
    return [
        *_identity_problems(version.action.name, version.version, version.action.title, version.queue),
        *_name_problems("undo", version.undo),
        *_choice_problems(version.kind, version.effect, version.on_crash),
        *_config_problems(version.kind, version.config),
        *_schema_problems(version),
        *_retry_problems(version.retry),
        *_running_problems(version),
        *(problem.under("/notify") for problem in telling.problems(version.notify)),
    ]


def publish(version: ActionVersion, *, actor: str, reason: str = "") -> ActionVersion:
    """Publish a draft and return it as stored. Raises DefinitionInvalid with all problems at once."""
    with transaction.atomic():
        row = ActionVersion.objects.select_for_update(of=("self",)).select_related("action").get(pk=version.pk)
        if row.state != ActionVersion.State.DRAFT:
            raise DefinitionInvalid([Problem("/state", "state", f"is {row.state}: only drafts are published")])
        if found := [*problems(row), *_undo_problems(row.undo)]:
            raise DefinitionInvalid(found)
        contract = _settled(row)
        ActionVersion.objects.filter(pk=row.pk).update(
            state=ActionVersion.State.PUBLISHED, published_at=Now(), digest=contract.digest(), **contract.as_dict()
        )
        _audit("action.published", row, actor, reason, contract)
    row.refresh_from_db()
    return row


def is_published(name: str) -> bool:
    """Tell whether an action has a published version."""
    return ActionVersion.objects.filter(action__name=name, state=ActionVersion.State.PUBLISHED).exists()


def _undo_problems(name: str) -> Iterator[Problem]:
    if name and re.fullmatch(NAME, name) and not is_published(name):
        message = f"is {name}, and there is no published action of that name: publish it first, or correct the name"
        yield Problem("/undo", "undo", message)


def _settled(row: ActionVersion) -> Contract:
    """Return the contract with shorthand and defaults written out: what was published never depends on later code."""
    return replace(
        Contract.of(row),
        input_schema=schemas.normalise(row.input_schema),
        output_schema=schemas.normalise(row.output_schema, closed=False),
        retry=Retry.from_dict(row.retry).as_dict(),
        notify=telling.settled(row.notify),
    )


def _save(
    wanted: Action, version: str, contract: Contract, actor: str, reason: str, *, replace_draft: bool
) -> ActionVersion:
    words = {"title": wanted.title, "description": wanted.description}
    try:
        with transaction.atomic():
            action, created = Action.objects.get_or_create(name=wanted.name, defaults=words)
            given = {key: value for key, value in words.items() if value}
            if given and not created:
                Action.objects.filter(pk=action.pk).update(**given)
            drafts = ActionVersion.objects.filter(action=action, version=version, state=ActionVersion.State.DRAFT)
            if replace_draft and drafts.update(**contract.as_dict()):
                row = drafts.get()
            else:
                row = ActionVersion.objects.create(action=action, version=version, **contract.as_dict())
            _audit("action.drafted", row, actor, reason, contract)
            return row
    except IntegrityError as error:
        if "action_version_once" not in str(error):
            raise
        taken = Problem("/version", "unique", f"{wanted.name} has a version {version} already: choose another number")
        raise DefinitionInvalid([taken]) from None


def _audit(kind: str, row: ActionVersion, actor: str, reason: str, contract: Contract) -> None:
    recording.record(
        chain=row.action_id,
        kind=kind,
        actor=actor,
        reason=reason,
        data={
            "name": row.action.name,
            "version": row.version,
            "kind": row.kind,
            "digest": contract.digest(),
        },
    )


def _identity_problems(name: Any, version: Any, title: Any, queue: Any) -> Iterator[Problem]:
    for field, value, pattern in (("name", name, NAME), ("version", version, VERSION), ("queue", queue, QUEUE)):
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            yield Problem(f"/{field}", "pattern", f"does not match {pattern}")
    if not isinstance(title, str) or len(title) > 200:
        yield Problem("/title", "maxLength", "must be text of at most 200 characters")


def _name_problems(field: str, value: Any) -> Iterator[Problem]:
    if value != "" and not (isinstance(value, str) and re.fullmatch(NAME, value)):
        yield Problem(f"/{field}", "pattern", f"is no name of an action: it does not match {NAME}")


def _choice_problems(kind: Any, effect: Any, on_crash: Any) -> Iterator[Problem]:
    for field, value, allowed in (
        ("kind", kind, BY_HAND),
        ("effect", effect, EFFECTS),
        ("on_crash", on_crash, ON_CRASH),
    ):
        if value not in allowed:
            yield Problem(f"/{field}", "enum", f"must be one of {', '.join(allowed)}")


def _config_problems(kind: str, config: Any) -> list[Problem]:
    found = _object_problems(config)
    if not found and kind in BY_HAND:
        found = KINDS[kind].check(config)
    return [problem.under("/config") for problem in found]


def _schema_problems(version: ActionVersion) -> Iterator[Problem]:
    for field, given, closed in (
        ("input_schema", version.input_schema, True),
        ("output_schema", version.output_schema, False),
    ):
        try:
            found = schemas.check_schema(schemas.normalise(given, closed=closed))
        except ValueError as error:
            found = [Problem("", "shorthand", str(error))]
        yield from (problem.under(f"/{field}") for problem in found)


def _retry_problems(retry: Any) -> Iterator[Problem]:
    if found := _object_problems(retry):
        yield from (problem.under("/retry") for problem in found)
        return
    for part in _independent(retry):
        try:
            Retry.from_dict(part)
        except ValueError as error:
            yield Problem("/retry" + pointer([next(iter(part))]), "retry", str(error))


def _independent(retry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a policy that can be wrong by themselves; the first wait and the longest are compared."""
    waits = {key: retry[key] for key in ("initial", "max") if key in retry}
    yield from ({key: value} for key, value in retry.items() if key not in waits)
    if waits:
        yield waits


def _running_problems(version: ActionVersion) -> Iterator[Problem]:
    handler = KINDS.get(version.kind)
    if handler and handler.OUTSIDE and version.transactional:
        yield Problem(
            "/transactional", "transactional", f"{version.kind} actions act outside: they cannot be rolled back"
        )
    if not 1 <= version.timeout_ms <= MAX_TIMEOUT_MS:
        yield Problem("/timeout", "range", "must be from 1ms to 1d")


def _object_problems(value: Any) -> list[Problem]:
    return check_value(value) if isinstance(value, dict) else [Problem("", "type", "must be an object")]


def _copy(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _shapes(
    given_input: Mapping[str, Any] | None, given_output: Mapping[str, Any] | None
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return both schemas written out, an empty one for each that cannot be, with what is wrong with those."""
    shapes: list[dict[str, Any]] = []
    found: list[Problem] = []
    for field, given, closed in (("input_schema", given_input, True), ("output_schema", given_output, False)):
        try:
            shapes.append(schemas.normalise(given, closed=closed))
        except ValueError as error:
            shapes.append({})
            found.append(Problem(f"/{field}", "shorthand", str(error)))
    return shapes, found


def _milliseconds(timeout: str | float) -> tuple[int, list[Problem]]:
    """Return the timeout, one that is allowed for what is no duration at all, with what is wrong with that."""
    try:
        return min(round(durations.seconds(timeout) * 1_000), MAX_TIMEOUT_MS + 1), []
    except ValueError as error:
        return MAX_TIMEOUT_MS, [Problem("/timeout", "duration", str(error))]
