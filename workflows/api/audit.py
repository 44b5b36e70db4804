"""The audit trail as a file."""

from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from audit.exporting import TooMuch, Wanted, export
from dotdo_site.access.api import ApiView, Need
from dotdo_site.access.authentication import actor
from dotdo_site.lib import fields, rest
from dotdo_site.lib.problems import BadRequest
from dotdo_site.lib.rest import StrictSerializer
from workflows.api.problems import responses

MOST_HEADS = 2_000_000  # that one answer reads to prove some chains; a request is not the place for more
TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
DESCRIPTION = (
    "Everything, or the events of a run, of a chain, of a time, as NDJSON with the seals and what proves that the "
    "chains are under them, or as CSV for people. `audit/offline.py` verifies NDJSON without the database. The last "
    "line has `type: end`; without it the answer was cut off. Each export is recorded in the trail."
)


class AuditQuery(StrictSerializer):
    """Which part of the trail, and how."""

    kind = fields.Choice(default="ndjson", choices=list(TYPES))
    run = fields.Id(default=None)
    chain = fields.Id(default=None)
    since = fields.Moment(default=None)
    until = fields.Moment(default=None)


class AuditExport(ApiView):
    """The trail as a file."""

    needs: ClassVar = {"GET": Need("audit.export_audit", "audit:export")}

    @extend_schema(
        operation_id="export_audit_trail",
        summary="Export the audit trail",
        description=DESCRIPTION,
        tags=["audit"],
        parameters=[AuditQuery],
        responses=responses(
            {(200, "application/x-ndjson"): OpenApiTypes.STR, (200, "text/csv"): OpenApiTypes.STR}, 400
        ),
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Send the export as it is read. Raises BadRequest when it is too much for a request."""
        query: dict[str, Any] = rest.query(request, AuditQuery)
        kind = query.pop("kind")
        try:
            text = export(Wanted(**query), kind, actor=actor(request), most=MOST_HEADS)
        except TooMuch as error:
            raise BadRequest(f"{error}: use `manage.py export_audit`, or kind=csv") from error
        headers = {"Content-Disposition": f'attachment; filename="audit.{kind}"', "X-Accel-Buffering": "no"}
        return StreamingHttpResponse(text, content_type=TYPES[kind], headers=headers)
