"""How the REST framework reads bodies and answers errors here: strict JSON in, problem documents out."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import IO, Any, ClassVar, TypeVar

from django.conf import settings
from rest_framework import exceptions, serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from dotdo_site.lib import problems, strict_json

S = TypeVar("S", bound=serializers.Serializer[Any])
ANYTHING = "*/*"


class StrictJSONParser(BaseParser):
    """Parse `application/json` with `strict_json`; a body over the limit is refused before it is read."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, _context: Mapping[str, Any] | None = None) -> Any:
        """Return the value of the body. Raises BadJSON, TooLarge, UnsupportedMediaType for another charset."""
        check_charset(media_type or "")
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or strict_json.MAX_BYTES
        declared = getattr(stream, "META", {}).get("CONTENT_LENGTH") or "0"
        if declared.isdigit() and int(declared) > limit:
            raise strict_json.TooLarge(f"the body is longer than {limit} bytes")
        return strict_json.loads(stream.read(limit + 1), max_bytes=limit)


class Negotiation(DefaultContentNegotiation):
    """Give a caller who takes anything the first there is, without taking headers apart."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer and the media type of the answer. Raises NotAcceptable, Http404."""
        takes_anything = request.META.get("HTTP_ACCEPT", ANYTHING) == ANYTHING
        if takes_anything and not request.META.get("QUERY_STRING") and not format_suffix:
            first = next(iter(renderers))
            return first, first.media_type
        found: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
        return found


def problem_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """Answer every error of a view with a problem document (RFC 9457)."""
    problem = problems.problem_of(error)
    set_rollback()
    request = context.get("request")
    return Response(
        problem.document(request.path if request is not None else ""),
        status=problem.status,
        headers=dict(problem.headers),
        content_type=problems.CONTENT_TYPE,
    )


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer for input: a key that it does not know is an error that names the nearest one it knows."""

    default_error_messages: ClassVar = {"invalid": "must be an object"}

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated values. Raises ValidationError with all that is wrong."""
        known = isinstance(data, Mapping)
        unknown = {key: [self._unknown(str(key))] for key in data if key not in self.fields} if known else {}
        try:
            values = super().to_internal_value(data)
        except exceptions.ValidationError as error:
            found = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
            raise serializers.ValidationError({**unknown, **found}) from None
        if unknown:
            raise serializers.ValidationError(unknown)
        return values

    def _unknown(self, key: str) -> exceptions.ErrorDetail:
        found = problems.near(key, self.fields)
        hint = f"did you mean {found[0]!r}?" if found else f"known are: {', '.join(self.fields)}."
        return exceptions.ErrorDetail(f"is not known here; {hint}", code="unknown")


class InvalidQuery(exceptions.ValidationError):
    """The parameters after the question mark do not fit."""

    of_query = True


def body(request: Request, serializer: type[S]) -> dict[str, Any]:
    """Return the validated body. Raises ValidationError, which becomes a 422."""
    return dict(kept(serializer).run_validation(request.data))


@cache
def kept(serializer: type[S]) -> S:
    """Return the one instance of a serializer that turns one value after the other into another, and keeps none.

    A new one copies all fields, which takes longer than what they do.
    """
    return serializer()


def query(request: Request, serializer: type[S]) -> dict[str, Any]:
    """Return the validated query parameters; one given twice is refused. Raises InvalidQuery, which becomes a 400."""
    given = request.query_params
    if not given:
        return dict(_unasked(serializer))
    twice = {key: ["is given more than once"] for key in given if len(given.getlist(key)) > 1}
    if twice:
        raise InvalidQuery(twice)
    try:
        return dict(kept(serializer).run_validation(given.dict()))
    except serializers.ValidationError as error:
        raise InvalidQuery(error.detail) from None


@cache
def _unasked(serializer: type[S]) -> dict[str, Any]:
    """Return what no parameters mean. Raises InvalidQuery where one is needed."""
    try:
        return dict(kept(serializer).run_validation({}))
    except serializers.ValidationError as error:
        raise InvalidQuery(error.detail) from None


def represent(serializer: type[S], instance: object) -> dict[str, Any]:
    """Return what the serializer makes of an object. Its fields are not asked about what is what they make already."""
    found: dict[str, Any] = {}
    for name, source, same, shown in _outgoing(serializer):
        value = getattr(instance, source) if source else shown.get_attribute(instance)
        found[name] = value if value is None or type(value) is same else shown.to_representation(value)
    return found


# What these make of a value of the type is that value.
_SAME: dict[type[serializers.Field[Any, Any, Any, Any]], type] = {
    serializers.CharField: str,
    serializers.ChoiceField: str,
    serializers.IntegerField: int,
    serializers.BooleanField: bool,
    serializers.JSONField: dict,
}


@cache
def _outgoing(serializer: type[S]) -> list[tuple[str, str, type | None, serializers.Field[Any, Any, Any, Any]]]:
    """Return the fields that go out: name, the attribute if that is all, of which type a value is taken as it is."""
    found = []
    for name, field in kept(serializer).fields.items():
        same = _SAME.get(type(field))
        source = str(field.source) if same and "." not in str(field.source) else ""
        if not field.write_only:
            found.append((name, source, same, field))
    return found


def check_charset(media_type: str) -> None:
    """Raise UnsupportedMediaType for another character set than UTF-8."""
    for parameter in media_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip(" \"'").lower() not in {"utf-8", "utf8"}:
            raise exceptions.UnsupportedMediaType(media_type)
