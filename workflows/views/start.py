"""Start an action or a workflow by hand: a form from its schema, or JSON; to check, to run, or to run again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from actions.problems import Problem
from dotdo_site.lib import strict_json
from dotdo_site.lib.ids import uuid7
from workflows import forms, hidden, operations, queries
from workflows.operations import InputInvalid, KeyConflict, OperationError, Started, UnknownDefinition
from workflows.queries import Former
from workflows.templatetags.json_view import as_json
from workflows.views.answers import see_other
from workflows.views.changes import changes
from workflows.views.guard import needs
from workflows.views.permissions import actor, may
from workflows.views.run_commands import NO_REASON, posted_reason

START = {"workflow": operations.start_workflow, "action": operations.start_action}
READ = {"workflow": queries.workflow, "action": queries.action}
LONGEST_TITLE, LONGEST_TAG, MOST_TAGS = 200, 100, 20


@dataclass
class Draft:
    """What the reader has typed so far, and what is to be said about it."""

    value: Any = field(default_factory=dict)
    tab: str = "form"
    text: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    refusal: str = ""
    valid: bool = False
    token: str = field(default_factory=lambda: str(uuid7()))  # a run again is one run, however often its form is sent


@dataclass(frozen=True)
class Basis:
    """What is started, and the run that the form began with, if any; `again`: that run is run again, with its masks."""

    kind: str
    definition: Any
    former: Former | None = None

    @property
    def again(self) -> bool:
        """Tell whether the new run repeats the former one; a run that is not over only lends its input."""
        return self.former is not None and self.former.refusal is None


@require_http_methods(["GET", "POST"])
@needs("workflows.start_run")
def start(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """Show the form; POST checks, edits the lists of the form, or starts."""
    definition = READ[kind](name)
    if definition is None or definition.state != "published":
        raise Http404(f"There is no published {kind} called {name}.")
    basis = Basis(kind, definition, _former(request, kind, name))
    if request.method == "GET":
        return _show(request, basis, _prefilled(basis))
    command = request.POST.get("do", "start")
    draft = _posted(request, basis)
    if command == "start":
        draft.problems += _reason_problems(request, basis)
    if command != "start" or draft.problems:
        return _show(request, basis, _commanded(draft, command, basis))
    return _start(request, basis, draft)


def _former(request: HttpRequest, kind: str, name: str) -> Former | None:
    """Return the run that the form begins with: one of the same definition that the reader may see."""
    if not may(request, "workflows.view_run"):
        return None
    try:
        found = queries.former(UUID(request.POST.get("from", "") or request.GET.get("from", "")))
    except ValueError:
        return None
    return found if found and (found.kind, found.name) == (kind, name) else None


def _start(request: HttpRequest, basis: Basis, draft: Draft) -> HttpResponse:
    try:
        started = _started(request, basis, draft)
    except InputInvalid as refused:
        draft.problems = refused.problems
    except UnknownDefinition as refused:
        raise Http404(refused.message) from refused
    except KeyConflict as refused:
        draft.refusal = refused.message if draft.options["key"] else _renewed(draft, refused)
    except OperationError as refused:
        draft.refusal = refused.message
    else:
        if not started.created and draft.options["key"]:
            messages.warning(request, _("This key was used before with the same input: here is that run."))
        elif not started.created:
            messages.warning(request, _("The form was sent before: here is the run that it started."))
        return see_other(reverse("run", args=[started.run_id]))
    return _show(request, basis, draft)


def _renewed(draft: Draft, refused: KeyConflict) -> str:
    """Say that the form has started a run of another input already; sent once more, it starts one of its own."""
    draft.token = str(uuid7())
    return _("This form has started the run %s already, with other input. Send it again to start another run.") % (
        refused.run_id
    )


def _started(request: HttpRequest, basis: Basis, draft: Draft) -> Started:
    options, who = draft.options, actor(request)
    if basis.former is not None and basis.again:
        value = operations.UNCHANGED if draft.value == basis.former.input else draft.value
        key = options["key"] or draft.token
        return operations.run_again(basis.former.id, actor=who, reason=posted_reason(request), input=value, key=key)
    return START[basis.kind](
        basis.definition.name,
        draft.value,
        actor=who,
        trigger="page",
        key=options["key"] or None,
        title=options["title"],
        tags=options["tags"].split(),
    )


def _posted(request: HttpRequest, basis: Basis) -> Draft:
    draft = Draft(tab=request.POST.get("tab", "form"), options=_options(request.POST))
    draft.token = _token(request) or draft.token
    draft.problems = list(_option_problems(draft.options))
    if draft.tab == "json":
        draft.text = request.POST.get("json", "")
        try:
            draft.value = strict_json.loads(draft.text.encode("utf-8", "surrogatepass"))
        except strict_json.BadJSON as error:
            draft.value = {}
            draft.problems.append(Problem("", "json", error.message))
    else:
        posted = forms.parse(basis.definition.input_schema, request.POST)
        draft.value = posted.value
        draft.problems += posted.problems
    if not basis.again:
        draft.value = forms.without_masked(draft.value)
    return draft


def _token(request: HttpRequest) -> str:
    try:
        return str(UUID(request.POST.get("token", "")))
    except ValueError:
        return ""


def _options(data: Mapping[str, str]) -> dict[str, str]:
    return {name: data.get(f"option:{name}", "").replace("\x00", "").strip() for name in ("key", "title", "tags")}


def _option_problems(options: Mapping[str, str]) -> list[Problem]:
    found = []
    if len(options["title"]) > LONGEST_TITLE:
        message = _("The title has more than %(most)d characters.") % {"most": LONGEST_TITLE}
        found.append(Problem("title", "maxLength", message))
    tags = options["tags"].split()
    if len(tags) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in tags):
        most = {"tags": MOST_TAGS, "characters": LONGEST_TAG}
        found.append(
            Problem("tags", "maxItems", _("Give up to %(tags)d tags of up to %(characters)d characters.") % most)
        )
    return found


def _reason_problems(request: HttpRequest, basis: Basis) -> list[Problem]:
    return [Problem("reason", "required", str(NO_REASON))] if basis.again and not posted_reason(request) else []


def _commanded(draft: Draft, command: str, basis: Basis) -> Draft:
    """Do what a button asked for: switch the tab, add or remove an item, check."""
    verb, _colon, where = command.partition(":")
    if verb == "tab" and not any(problem.rule == "json" for problem in draft.problems):
        draft.tab, draft.text = where, as_json(draft.value)
    elif verb in {"add", "remove"}:
        draft.value = forms.commanded(draft.value, command)
        draft.problems = []
    elif verb == "check" and not draft.problems:
        found = operations.check_input(basis.kind, basis.definition.name, draft.value)
        draft.problems = [problem for problem in found if not _stays(problem, draft.value, basis)]
        draft.valid = not draft.problems
    return draft


def _stays(problem: Problem, value: Any, basis: Basis) -> bool:
    """Tell whether a problem is about a mask: the value behind it was valid, and it is put back at the start."""
    return basis.again and hidden.is_hidden(_at(value, problem.pointer))


def _at(value: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _prefilled(basis: Basis) -> Draft:
    """Begin with the input of a former run; without repeating it, what is masked there has to be typed."""
    if basis.former is None:
        return Draft(value=forms.MISSING, options=_options({}))
    value = basis.former.input if basis.again else forms.without_masked(basis.former.input)
    return Draft(value=value, options={**_options({}), "tags": " ".join(basis.former.tags)})


def _show(request: HttpRequest, basis: Basis, draft: Draft) -> HttpResponse:
    definition = basis.definition
    root = forms.build(definition.input_schema, draft.value, draft.problems)
    only_json = root.widget not in ("object", "array")
    tab = "json" if only_json else draft.tab
    value = {} if draft.value is forms.MISSING else draft.value
    context = {
        "definition": definition,
        "kind": basis.kind,
        "fields": root.children if root.widget == "object" else [root],
        "tab": tab,
        "only_json": only_json,
        "text": draft.text or as_json(value),
        "options": draft.options,
        "token": draft.token,
        "former": basis.former,
        "again": basis.again,
        "changes": changes(definition.input_schema, basis.former.input, value) if basis.former else [],
        "reason": request.POST.get("reason", ""),
        "reason_problem": any(problem.pointer == "reason" for problem in draft.problems),
        "problems": draft.problems if tab == "json" else forms.loose_problems(root, draft.problems),
        "count": len(draft.problems),
        "refusal": draft.refusal,
        "valid": draft.valid,
        "back": reverse(basis.kind, args=[definition.name]),
    }
    return render(request, "definitions/start.html", context, status=422 if draft.problems or draft.refusal else 200)
