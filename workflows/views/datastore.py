"""The datastore: what workflows remember. People with the permission may write, against the version that they read."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from actions.sensitive import MASK
from dotdo_site.lib import strict_json
from dotdo_site.lib.paging import BadCursor
from workflows import operations, queries
from workflows.operations import InputInvalid, VersionConflict
from workflows.queries import EntryRow, Page
from workflows.templatetags.json_view import as_json
from workflows.views.answers import see_other
from workflows.views.guard import needs, refuse
from workflows.views.permissions import actor, may

PAGE_SIZE = 50


@require_GET
@needs("workflows.view_entry")
def datastore(request: HttpRequest) -> HttpResponse:
    """List the entries, by namespace and beginning of the key."""
    asked = {name: _plain(request.GET.get(name, "")) for name in ("namespace", "prefix")}
    kept = {name: value for name, value in asked.items() if value}
    page = _page(request, asked)
    context = {
        "asked": asked,
        "page": page,
        "newer": urlencode({**kept, "before": page.previous}) if page.previous else "",
        "older": urlencode({**kept, "after": page.next}) if page.next else "",
    }
    return render(request, "datastore/list.html", context)


@require_http_methods(["GET", "POST"])
@needs("workflows.view_entry")
def entry(request: HttpRequest) -> HttpResponse:
    """Show an entry; POST writes it if it is still at the version that was read."""
    namespace, key = _plain(request.GET.get("namespace", "")), _plain(request.GET.get("key", ""))
    found = queries.entry(namespace, key)
    if found is None:
        raise Http404(f"There is no entry {namespace}/{key}.")
    if request.method == "POST":
        return _write(request, found)
    return _show(request, found, as_json(found.value))


def _page(request: HttpRequest, asked: dict[str, str]) -> Page[EntryRow]:
    namespace, prefix = asked["namespace"] or None, asked["prefix"]
    try:
        before, after = request.GET.get("before") or None, request.GET.get("after") or None
        return queries.entries(namespace, prefix, before=before, after=None if before else after, limit=PAGE_SIZE)
    except BadCursor:
        return queries.entries(namespace, prefix, limit=PAGE_SIZE)


def _write(request: HttpRequest, found: EntryRow) -> HttpResponse:
    if not may(request, "workflows.change_entry"):
        return refuse(request, "workflows.change_entry")
    text = request.POST.get("value", "")
    if MASK in text:
        return _show(
            request,
            found,
            text,
            f"{MASK} stands for a value that is hidden here; it would be lost. Nothing was written.",
        )
    try:
        value = strict_json.loads(text.encode("utf-8", "surrogatepass"))
        version = int(request.POST.get("version", ""))
        operations.put_entry(found.namespace, found.key, value, expected_version=version, actor=actor(request))
    except VersionConflict as conflict:
        return _show(request, found, text, f"{conflict.message} The newer value is shown above.")
    except InputInvalid as refused:
        return _show(request, found, text, "; ".join(map(str, refused.problems)))
    except ValueError as error:
        return _show(request, found, text, str(error))
    messages.success(request, "The entry is written.")
    return see_other(f"{reverse('entry')}?{urlencode({'namespace': found.namespace, 'key': found.key})}")


def _show(request: HttpRequest, found: EntryRow, text: str, error: str = "") -> HttpResponse:
    hidden = MASK in as_json(found.value)
    context = {"entry": found, "text": text, "error": error, "hidden": hidden}
    return render(request, "datastore/entry.html", context, status=422 if error else 200)


def _plain(text: str) -> str:
    return text.replace("\x00", "")
