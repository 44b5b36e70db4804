"""Runs as a file, from any filter of the list: CSV for people, NDJSON for programs."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from workflows import operations, queries
from workflows.queries import EXPORT_COLUMNS, EXPORT_LIMIT
from workflows.views.filters import Asked
from workflows.views.guard import needs
from workflows.views.permissions import actor

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with these a spreadsheet takes a text for something to be computed
FLUSH_BYTES = 32_768
Row = dict[str, Any]


@needs("workflows.view_run")
@require_GET
def export(request: HttpRequest) -> HttpResponseBase:
    """Send the runs that fit, newest first, as they are read."""
    asked, form = Asked.read(request.GET, also=("format",)), request.GET.get("format", "")
    problems = list(asked.problems)
    if form not in FORMATS:
        problems.append(_("format=%(form)s is no format: use %(all)s.") % {"form": form, "all": ", ".join(FORMATS)})
    if problems:
        return HttpResponse("\n".join(problems), status=400, content_type="text/plain; charset=utf-8")
    chosen = asked.at(timezone.now())
    count = queries.count(chosen, EXPORT_LIMIT)
    operations.note_export(asked.values, form=form, most=EXPORT_LIMIT, actor=actor(request))
    content_type, write = FORMATS[form]
    response = StreamingHttpResponse(_gathered(write(queries.exported(chosen))), content_type=content_type)
    cut = f"-newest-{EXPORT_LIMIT}" if count is None or count.more else ""
    name = f"runs-{timezone.localdate():%Y-%m-%d}{cut}.{form}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["X-Limit"] = str(EXPORT_LIMIT)
    return response


def as_csv(rows: Iterable[Row]) -> Iterator[str]:
    """Write a table with a header; nothing in a cell is taken for a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(EXPORT_COLUMNS)
    for row in rows:
        writer.writerow([harmless(row[name]) for name in EXPORT_COLUMNS])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def as_ndjson(rows: Iterable[Row]) -> Iterator[str]:
    """Write a JSON document for each run, a line each."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False, default=_plain) + "\n"


def harmless(value: Any) -> Any:
    """Return what a cell holds: texts that a spreadsheet would compute get an apostrophe, structures become JSON."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    text = value if isinstance(value, str) else _text(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _text(value: Any) -> str:
    return _plain(value) if not isinstance(value, dict | list | bool) else json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _gathered(texts: Iterable[str]) -> Iterator[bytes]:
    """Join small pieces, so that not every run is a packet."""
    parts: list[bytes] = []
    size = 0
    for text in texts:
        data = text.encode("utf-8", "backslashreplace")
        parts.append(data)
        size += len(data)
        if size >= FLUSH_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


FORMATS: dict[str, tuple[str, Callable[[Iterable[Row]], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8; header=present", as_csv),
    "ndjson": ("application/x-ndjson; charset=utf-8", as_ndjson),
}
