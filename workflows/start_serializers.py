"""The body of a batch of starts. Thousands come in one request, so what is surely right is not taken apart for long."""

from collections.abc import Callable
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from dotdo_site.lib import fields, rest
from dotdo_site.lib.rest import StrictSerializer
from workflows.serializers import StartBody

MOST = 1_000


class StartItem(StartBody):
    """One of the runs to start, with its own key."""

    key = fields.Text(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="1 to 255 visible ASCII characters: the Idempotency-Key of this run.",
    )


class StartsFrame(StrictSerializer):
    """A list of so many, of whatever."""

    runs = fields.Items(allow_empty=False, max_length=MOST, error_messages={"empty": "must not be empty"})


class StartsBody(StartsFrame):
    """The runs to start."""

    runs = fields.Items(child=StartItem(), allow_empty=False, max_length=MOST)


class StartedItem(serializers.Serializer[Any]):
    """What one of them came to."""

    id = serializers.UUIDField(source="run_id")
    created = serializers.BooleanField(help_text="False: its key was used before, and this is that run.")


class StartedRuns(serializers.Serializer[Any]):
    """What they came to, in the order of the request."""

    runs = StartedItem(many=True)


Item = dict[str, Any]


def read(body: Any) -> tuple[dict[int, Item], dict[int, Any]]:
    """Return the items that fit, and what is wrong with the others, by their numbers. Raises ValidationError for a body
    that is no list of items.
    """
    if not _is_list(body):
        StartsFrame(data=body).is_valid(raise_exception=True)
    good: dict[int, Item] = {}
    wrong: dict[int, Any] = {}
    for number, item in enumerate(body["runs"]):
        if is_plain(item):
            good[number] = _filled(item)
            continue
        form = StartItem(data=item)
        if form.is_valid():
            good[number] = dict(form.validated_data)
        else:
            wrong[number] = form.errors
    return good, wrong


def read_one(request: Request) -> Item:
    """Return the body of a single start. Raises ValidationError, which becomes a 422."""
    body: Any = request.data
    return _filled(body) if is_plain(body) and "key" not in body else rest.body(request, StartBody)


def _filled(item: Item) -> Item:
    return {"input": {}, "title": "", "tags": [], **item}


def _is_list(body: Any) -> bool:
    """Tell whether a body surely is what the frame takes."""
    runs = body.get("runs") if type(body) is dict and len(body) == 1 else None
    return type(runs) is list and 0 < len(runs) <= MOST and None not in runs


def is_plain(item: Any) -> bool:
    """Tell whether an item surely fits, and means what it says: the serializer would return it as it is."""
    return type(item) is dict and all(name in _PLAIN and _PLAIN[name](value) for name, value in item.items())


def _text(shortest: int, longest: int) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        return (
            type(value) is str and shortest <= len(value) <= longest and value.isprintable() and value == value.strip()
        )

    return fits


_tag = _text(1, 100)
_PLAIN: dict[str, Callable[[Any], bool]] = {
    "input": lambda value: value is not None,
    "version": _text(1, 40),
    "title": _text(0, 200),
    "tags": lambda value: type(value) is list and len(value) <= 20 and all(map(_tag, value)),
    "key": _text(1, 255),
}
