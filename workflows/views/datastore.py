"""The datastore: what workflows remember. People with the permission may write, against the version that they read."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from actions.sensitive import MASK
from dotdo_site.lib import strict_json
from workflows import operations, queries
from workflows.operations import InputInvalid, VersionConflict
from workflows.queries import EntryRow, Page
from workflows.templatetags.json_view import as_json
from workflows.views import diffs, listing
from workflows.views.answers import see_other
from workflows.views.guard import needs, refuse
from workflows.views.listing import Asked, Criterion
from workflows.views.permissions import actor, may
from workflows.views.run_commands import LONGEST_REASON, NO_REASON, posted_reason

CRITERIA = {
    "namespace": Criterion(gettext_lazy("namespace"), exact=True),
    "prefix": Criterion(gettext_lazy("beginning of the key"), exact=True),
}
NOTHING: Page[EntryRow] = Page([], None, None)
CHANGE = "workflows.change_entry"


@dataclass(frozen=True)
class Typed:
    """What the reader has typed, what is wrong with it, and the difference to what somebody else wrote meanwhile."""

    text: str
    reason: str = ""
    error: str = ""
    conflict: VersionConflict | None = None
    lines: list[diffs.Line] | None = None


@require_GET
@needs("workflows.view_entry")
def datastore(request: HttpRequest) -> HttpResponse:
    """List the entries, by namespace and beginning of the key."""
    asked = Asked.of(request.GET, CRITERIA)

    def read(**where: Any) -> Page[EntryRow]:
        return queries.entries(asked.values.get("namespace"), asked.values.get("prefix", ""), **where)

    context = listing.page(request, asked, read, NOTHING)
    return render(request, "datastore/list.html", context, status=400 if context["problems"] else 200)


@require_http_methods(["GET", "POST"])
@needs("workflows.view_entry")
def entry(request: HttpRequest) -> HttpResponse:
    """Show an entry; POST writes it if it is still at the version that was read."""
    namespace, key = named(request)
    found = queries.entry(namespace, key)
    if request.method == "POST":
        if not may(request, CHANGE):
            return refuse(request, CHANGE)
        return _write(request, namespace, key, found)
    if found is None:
        raise Http404(_("There is no entry %s.") % f"{namespace}/{key}")
    return _show(request, found, Typed(as_json(found.value)))


@require_http_methods(["GET", "POST"])
@needs(CHANGE)
def new(request: HttpRequest) -> HttpResponse:
    """Ask for a new entry, then write it where there is none."""
    given = request.POST if request.method == "POST" else request.GET
    namespace, key = (given.get(name, "").replace("\x00", "") for name in ("namespace", "key"))
    context: dict[str, Any] = {
        "namespace": namespace or "default",
        "key": key,
        "reason": request.POST.get("reason", ""),
    }
    if request.method == "GET":
        return render(request, "datastore/new.html", {**context, "text": "{}"})
    text = request.POST.get("value", "")
    problems, there = _create(request, namespace, key, text)
    if problems:
        context |= {"text": text, "problems": problems, "there": address("entry", namespace, key) if there else ""}
        return render(request, "datastore/new.html", context, status=422)
    messages.success(request, _("The entry is written."))
    return see_other(address("entry", namespace, key))


@require_http_methods(["GET", "POST"])
@needs(CHANGE)
def delete(request: HttpRequest) -> HttpResponse:
    """Ask for the reason, then delete an entry if it is still at the version that was read."""
    namespace, key = named(request)
    found = queries.entry(namespace, key)
    if found is None:
        raise Http404(_("There is no entry %s.") % f"{namespace}/{key}")
    reason, error = posted_reason(request), ""
    if request.method == "POST" and reason:
        try:
            operations.delete_entry(
                namespace,
                key,
                expected_version=_version(request),
                actor=actor(request),
                reason=reason,
                with_history=bool(request.POST.get("history")),
            )
        except ValueError as wrong:
            error = str(wrong)
        except VersionConflict as conflict:
            error = _("%s Nothing was deleted; look at it as it is now.") % conflict.message
        else:
            messages.success(request, _("The entry is deleted."))
            return see_other(f"{reverse('datastore')}?{urlencode({'namespace': namespace})}")
    elif request.method == "POST":
        error = NO_REASON
    context = {"entry": found, "error": error, "reason": request.POST.get("reason", "")}
    return render(request, "datastore/delete.html", context, status=422 if error else 200)


def named(request: HttpRequest) -> tuple[str, str]:
    """Return the namespace and the key that the address names."""
    namespace, key = (request.GET.get(name, "").replace("\x00", "") for name in ("namespace", "key"))
    return namespace, key


def address(url_name: str, namespace: str, key: str) -> str:
    """Return the address of a page about an entry."""
    return f"{reverse(url_name)}?{urlencode({'namespace': namespace, 'key': key})}"


def _write(request: HttpRequest, namespace: str, key: str, found: EntryRow | None) -> HttpResponse:
    text, reason = request.POST.get("value", ""), request.POST.get("reason", "").replace("\x00", "").strip()
    try:
        value, version = _value(text), _version(request)
        _check_note(reason)
        operations.put_entry(namespace, key, value, expected_version=version, actor=actor(request), reason=reason)
    except VersionConflict as conflict:
        current = found.value if found and conflict.current_version else None
        lines = diffs.lines(current, value)
        return _show(request, found or _absent(namespace, key), Typed(text, reason, conflict=conflict, lines=lines))
    except InputInvalid as refused:
        typed = Typed(text, reason, "; ".join(map(str, refused.problems)))
    except ValueError as error:
        typed = Typed(text, reason, str(error))
    else:
        messages.success(request, _("The entry is written."))
        return see_other(address("entry", namespace, key))
    if found is None:
        raise Http404(_("There is no entry %s.") % f"{namespace}/{key}")
    return _show(request, found, typed)


def _create(request: HttpRequest, namespace: str, key: str, text: str) -> tuple[list[str], bool]:
    """Write a new entry; return what is wrong, and whether there is one already."""
    try:
        operations.put_entry(
            namespace, key, _value(text), expected_version=0, actor=actor(request), reason=posted_reason(request)
        )
    except VersionConflict:
        return [_("There is an entry of this name already; nothing was written.")], True
    except InputInvalid as refused:
        return list(map(str, refused.problems)), False
    except ValueError as error:
        return [str(error)], False
    return [], False


def _value(text: str) -> Any:
    """Return the JSON that was typed. Raises ValueError."""
    if MASK in text:
        words = _("%s stands for a value that is hidden here; it would be lost. Nothing was written.")
        raise ValueError(words % MASK)
    return strict_json.loads(text.encode("utf-8", "surrogatepass"))


def _check_note(reason: str) -> None:
    if len(reason) > LONGEST_REASON:
        raise ValueError(_("The note is longer than %d characters.") % LONGEST_REASON)


def _version(request: HttpRequest) -> int:
    """Return the version that was read. Raises ValueError."""
    try:
        version = int(request.POST.get("version", ""))
    except ValueError:
        version = -1
    if not 0 <= version < 1 << 63:
        raise ValueError(_("The form was not complete: open the entry again."))
    return version


def _absent(namespace: str, key: str) -> EntryRow:
    return EntryRow(namespace=namespace, key=key, value=None, version=0, updated_at=None)  # type: ignore[arg-type]


def _show(request: HttpRequest, found: EntryRow, typed: Typed) -> HttpResponse:
    wrong = typed.error or typed.conflict
    context = {"entry": found, "typed": typed, "hidden": MASK in as_json(found.value)}
    return render(request, "datastore/entry.html", context, status=409 if typed.conflict else 422 if wrong else 200)
