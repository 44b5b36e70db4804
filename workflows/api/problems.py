"""What callers of the API are told about the errors of `operations`, and how that is documented."""

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework import serializers

from actions import publishing
from actions.problems import Problem as Wrong
from dotdo_site.lib.problems import Problem, problem_of
from workflows import operations

MOST_ERRORS = 1_000  # of a batch of starts, in one answer


@problem_of.register
def _unknown_definition(error: operations.UnknownDefinition) -> Problem:
    return Problem(404, "unknown-definition", "Nothing like this is published", error.message, near=tuple(error.near))


@problem_of.register
def _unknown_run(error: operations.UnknownRun) -> Problem:
    return Problem(404, "not-found", "There is no such run", error.message)


@problem_of.register
def _gone_run(error: operations.GoneRun) -> Problem:
    return Problem(410, "gone", "This run is not kept any more", error.message)


@problem_of.register
def _input_invalid(error: operations.InputInvalid) -> Problem:
    return _listed("invalid-input", "The input does not fit the schema", "/input", error)


class RunsRefused(Exception):
    """Some of many runs cannot be started, and none was. `errors` says where and why."""

    def __init__(self, errors: Sequence[dict[str, str]]) -> None:
        super().__init__(f"{len(errors)} problem{'s' if len(errors) != 1 else ''}: see errors. No run was started.")
        self.errors = list(errors)


@problem_of.register
def _runs_refused(error: RunsRefused) -> Problem:
    errors = sorted(error.errors, key=lambda each: int(each["pointer"].split("/")[2]))
    title = "Some of the runs cannot be started"
    return Problem(422, "runs-refused", title, str(error), tuple(errors[:MOST_ERRORS]))


@problem_of.register
def _starts_refused(error: operations.StartsRefused) -> Problem:
    first = next(iter(error.refusals.values()))
    if isinstance(first, operations.UnknownDefinition) and not isinstance(first, operations.UnknownVersion):
        return problem_of(first)  # all are of one definition
    return _runs_refused(RunsRefused(refusals_at(error.refusals)))


def refusals_at(refusals: Mapping[int, operations.OperationError]) -> list[dict[str, str]]:
    """Return why starts of a list were refused, with pointers into the request."""
    return [wrong.under(f"/runs/{number}").as_dict() for number, error in refusals.items() for wrong in _parts(error)]


def _parts(error: operations.OperationError) -> list[Wrong]:
    match error:
        case operations.InputInvalid():
            return [wrong.under("/input") for wrong in error.problems]
        case operations.UnknownDefinition():
            return [Wrong("/version", "unknown-definition", error.message)]
        case operations.KeyInvalid():
            return [Wrong("/key", "invalid-idempotency-key", error.message)]
        case operations.KeyConflict() | operations.KeyTwice():
            return [Wrong("/key", "idempotency-key-reused", error.message)]
    return [Wrong("", "refused", error.message)]


@problem_of.register
def _unknown_step(error: operations.UnknownStep) -> Problem:
    return Problem(404, "not-found", "There is no such step", error.message, near=tuple(error.near))


@problem_of.register
def _unknown_schedule(error: operations.UnknownSchedule) -> Problem:
    return Problem(404, "not-found", "There is no such schedule", error.message)


@problem_of.register
def _unknown_notification(error: operations.UnknownNotification) -> Problem:
    return Problem(404, "not-found", "There is no such notification", error.message)


@problem_of.register
def _unknown_mute(error: operations.UnknownMute) -> Problem:
    return Problem(404, "not-found", "There is no such rule or mute", error.message)


@problem_of.register
def _too_deep(error: operations.TooDeep) -> Problem:
    return Problem(409, "not-possible-now", "This is not possible in the present state", error.message)


@problem_of.register
def _answer_invalid(error: operations.AnswerInvalid) -> Problem:
    title = f"The {error.part} does not fit"
    return Problem(422, "invalid-input", title, error.message, _errors(f"/{error.part}", error.problems))


@problem_of.register
def _definition_invalid(error: operations.DefinitionInvalid) -> Problem:
    return _listed("invalid-definition", "The definition cannot be used", "", error)


@problem_of.register
def _action_invalid(error: publishing.DefinitionInvalid) -> Problem:
    return Problem(
        422, "invalid-definition", "The definition cannot be used", _count(error.problems), _errors("", error.problems)
    )


@problem_of.register
def _signature_refused(error: operations.SignatureRefused) -> Problem:
    return Problem(401, "unauthenticated", "Say who you are", error.message)


@problem_of.register
def _event_invalid(error: operations.EventInvalid) -> Problem:
    return Problem(422, "invalid-event", "This is not a CloudEvent", error.message, _errors("", error.problems))


@problem_of.register
def _key_conflict(error: operations.KeyConflict) -> Problem:
    extra = {"run_id": str(error.run_id), "differences": list(error.differences)}
    return Problem(422, "idempotency-key-reused", "The key belongs to another request", error.message, extra=extra)


@problem_of.register
def _key_invalid(error: operations.KeyInvalid) -> Problem:
    return Problem(400, "invalid-idempotency-key", "The Idempotency-Key cannot be used", error.message)


@problem_of.register
def _not_allowed(error: operations.NotAllowed) -> Problem:
    return Problem(409, "not-possible-now", "This is not possible in the present state", error.message)


@problem_of.register
def _version_conflict(error: operations.VersionConflict) -> Problem:
    extra = {"current_version": error.current_version}
    return Problem(
        412,
        "version-conflict",
        "Somebody else has written this entry",
        error.message,
        extra=extra,
        headers={"ETag": f'"{error.current_version}"'} if error.current_version else {},
    )


class ErrorSerializer(serializers.Serializer[Any]):
    """One thing that is wrong, and where."""

    pointer = serializers.CharField()
    rule = serializers.CharField()
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """An error (RFC 9457, application/problem+json)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    errors_ = ErrorSerializer(many=True, required=False)
    near = serializers.ListField(child=serializers.CharField(), required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Name the list `errors`, which a serializer cannot declare."""
        fields = dict(super().get_fields())
        fields["errors"] = fields.pop("errors_")
        return fields


def responses(good: dict[Any, Any], *problems: int) -> dict[Any, Any]:
    """Return the documented responses of an operation: its own, and the errors that it can give."""
    documented: dict[Any, Any] = dict(good)
    for status in sorted({401, 403, 429, 503, *problems}):
        documented[status, "application/problem+json"] = ProblemSerializer
    return documented


def _listed(
    slug: str, title: str, prefix: str, error: operations.InputInvalid | operations.DefinitionInvalid
) -> Problem:
    return Problem(422, slug, title, error.message, _errors(prefix, error.problems))


def _errors(prefix: str, found: Sequence[Wrong]) -> tuple[dict[str, str], ...]:
    return tuple(wrong.under(prefix).as_dict() for wrong in found)


def _count(found: Sequence[Wrong]) -> str:
    return f"{len(found)} problem{'s' if len(found) != 1 else ''}: see errors."
