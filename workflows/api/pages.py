"""Pages of a list: `next` and `previous` are links that keep the filters; `cursor` says where and which way."""

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dotdo_site.lib.paging import BadCursor

_WAYS = {"n": "after", "p": "before"}


def direction(cursor: str | None) -> dict[str, str]:
    """Return `{"after": ...}` or `{"before": ...}` for the query, or nothing for the first page. Raises BadCursor."""
    if cursor is None:
        return {}
    way, _, rest = cursor.partition(".")
    if way not in _WAYS or not rest:
        raise BadCursor
    return {_WAYS[way]: rest}


def paged(request: Request, page: Any, serializer: type[serializers.Serializer[Any]]) -> Response:
    """Render a page (`items`, `next`, `previous`) of a query."""
    return Response(
        {
            "items": serializer(page.items, many=True).data,
            "next": _link(request, "n", page.next),
            "previous": _link(request, "p", page.previous),
        }
    )


def page_of(serializer: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Describe a page of such items to the schema."""
    link = serializers.CharField(allow_null=True, help_text="A path with query; null at the end.")
    fields = {"items": serializer(many=True), "next": link, "previous": link}
    return inline_serializer(f"{serializer.__name__}Page", fields)


def _link(request: Request, way: str, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    parameters = request.query_params.copy()
    parameters["cursor"] = f"{way}.{cursor}"
    return f"{request.path}?{parameters.urlencode()}"
