"""The datastore over HTTP: the version of an entry is its ETag, and compare-and-set is If-Match."""

import re
from typing import ClassVar

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from dotdo_site.access.api import ApiView, Need
from dotdo_site.access.authentication import actor
from dotdo_site.lib import rest
from dotdo_site.lib.problems import BadRequest
from workflows import operations, queries
from workflows.api.pages import direction, page_of, paged
from workflows.api.problems import responses
from workflows.serializers import EntriesQuery, Entry, EntryBody

READ = Need("workflows.view_entry", "datastore:read")
WRITE = Need("workflows.change_entry", "datastore:write")
_ETAG = re.compile(r'"([1-9][0-9]{0,17})"')
_NAME = re.compile(r"[^\x00-\x1f\x7f]+")


class Entries(ApiView):
    """All datastore entries."""

    needs: ClassVar = {"GET": READ}

    @extend_schema(
        operation_id="list_entries",
        summary="List datastore entries",
        tags=["datastore"],
        parameters=[EntriesQuery],
        responses=responses({200: page_of(Entry)}, 400),
    )
    def get(self, request: Request) -> Response:
        """List the entries of a namespace whose key begins with the prefix."""
        query = rest.query(request, EntriesQuery)
        where = direction(query.get("cursor"))
        page = queries.entries(query.get("namespace"), query["prefix"], **where, limit=query["limit"])
        return paged(request, page, Entry)


class EntryView(ApiView):
    """One datastore entry."""

    needs: ClassVar = {"GET": READ, "PUT": WRITE}

    @extend_schema(
        operation_id="get_entry",
        summary="Get a datastore entry",
        tags=["datastore"],
        responses=responses({200: Entry}, 400, 404),
    )
    def get(self, _request: Request, namespace: str, key: str) -> Response:
        """Show the entry, with its version as ETag."""
        _check(namespace, key)
        entry = queries.entry(namespace, key)
        if entry is None:
            raise Http404(f"there is no entry {namespace}/{key}")
        return Response(Entry(entry).data, headers={"ETag": f'"{entry.version}"'})

    @extend_schema(
        operation_id="put_entry",
        summary="Write a datastore entry",
        description='`If-Match: "3"` writes only over version 3, `If-None-Match: *` only where there is nothing yet; '
        "otherwise **412** with the current version. One of the two is required (**428**): nobody overwrites unseen.",
        tags=["datastore"],
        request=EntryBody,
        parameters=[
            OpenApiParameter("If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER),
            OpenApiParameter("If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER),
        ],
        responses=responses({200: Entry, 201: Entry}, 400, 412, 413, 415, 422, 428),
    )
    def put(self, request: Request, namespace: str, key: str) -> Response:
        """Write the value and show the entry with its new version."""
        _check(namespace, key)
        value = rest.body(request, EntryBody)["value"]
        expected = expected_version(request.headers.get("If-Match"), request.headers.get("If-None-Match"))
        entry = operations.put_entry(namespace, key, value, expected_version=expected, actor=actor(request))
        return Response(
            Entry(entry).data, status=201 if entry.version == 1 else 200, headers={"ETag": f'"{entry.version}"'}
        )


class PreconditionRequired(APIException):
    """A write says which version it replaces: send If-Match with the ETag, or If-None-Match: * for a new entry."""

    status_code = 428
    default_detail = __doc__


def expected_version(match: str | None, none_match: str | None) -> int:
    """Return the version that must be there, 0 for none. Raises PreconditionRequired, BadRequest for other forms."""
    if match is not None and none_match is not None:
        raise BadRequest("send If-Match or If-None-Match, not both")
    if none_match is not None:
        if none_match.strip() != "*":
            raise BadRequest("If-None-Match can only be *, which means: there is no such entry yet")
        return 0
    if match is None:
        raise PreconditionRequired
    found = _ETAG.fullmatch(match.strip())
    if found is None:
        raise BadRequest('If-Match must be one ETag as it was received, such as "3"')
    return int(found.group(1))


def _check(namespace: str, key: str) -> None:
    for what, text, most in (("namespace", namespace, 63), ("key", key, 255)):
        if len(text) > most or not _NAME.fullmatch(text):
            raise BadRequest(f"a {what} has 1 to {most} characters, none of them a control character")
