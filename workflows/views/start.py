"""Start an action or a workflow by hand: a form from its schema, or JSON; to check, or to run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from actions.problems import Problem
from dotdo_site.lib import strict_json
from workflows import forms, operations, queries
from workflows.operations import InputInvalid, OperationError, UnknownDefinition
from workflows.templatetags.json_view import as_json
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.permissions import actor

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


@require_http_methods(["GET", "POST"])
@needs("workflows.start_run")
def start(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """Show the form; POST checks, edits the lists of the form, or starts."""
    definition = READ[kind](name)
    if definition is None or definition.state != "published":
        raise Http404(f"There is no published {kind} called {name}.")
    if request.method == "GET":
        return _show(request, definition, kind, _prefilled(request, name))
    draft = _posted(request, definition.input_schema)
    command = request.POST.get("do", "start")
    if command != "start" or draft.problems:
        return _show(request, definition, kind, _commanded(draft, command, kind, name))
    return _start(request, definition, kind, draft)


def _start(request: HttpRequest, definition: Any, kind: str, draft: Draft) -> HttpResponse:
    options = draft.options
    try:
        started = START[kind](
            definition.name,
            draft.value,
            actor=actor(request),
            trigger="page",
            key=options["key"] or None,
            title=options["title"],
            tags=options["tags"].split(),
        )
    except InputInvalid as refused:
        draft.problems = refused.problems
    except UnknownDefinition as refused:
        raise Http404(refused.message) from refused
    except OperationError as refused:
        draft.refusal = refused.message
    else:
        if not started.created:
            messages.warning(request, "This key was used before with the same input: here is that run.")
        return see_other(reverse("run", args=[started.run_id]))
    return _show(request, definition, kind, draft)


def _posted(request: HttpRequest, schema: dict[str, Any]) -> Draft:
    draft = Draft(tab=request.POST.get("tab", "form"), options=_options(request.POST))
    draft.problems = list(_option_problems(draft.options))
    if draft.tab == "json":
        draft.text = request.POST.get("json", "")
        try:
            draft.value = strict_json.loads(draft.text.encode("utf-8", "surrogatepass"))
        except strict_json.BadJSON as error:
            draft.value = {}
            draft.problems.append(Problem("", "json", error.message))
    else:
        posted = forms.parse(schema, request.POST)
        draft.value = posted.value
        draft.problems += posted.problems
    return draft


def _options(data: Mapping[str, str]) -> dict[str, str]:
    return {name: data.get(f"option:{name}", "").replace("\x00", "").strip() for name in ("key", "title", "tags")}


def _option_problems(options: Mapping[str, str]) -> list[Problem]:
    found = []
    if len(options["title"]) > LONGEST_TITLE:
        found.append(Problem("title", "maxLength", f"The title has more than {LONGEST_TITLE} characters."))
    tags = options["tags"].split()
    if len(tags) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in tags):
        found.append(Problem("tags", "maxItems", f"Give up to {MOST_TAGS} tags of up to {LONGEST_TAG} characters."))
    return found


def _commanded(draft: Draft, command: str, kind: str, name: str) -> Draft:
    """Do what a button asked for: switch the tab, add or remove an item, check."""
    verb, _, where = command.partition(":")
    if verb == "tab" and not any(problem.rule == "json" for problem in draft.problems):
        draft.tab, draft.text = where, as_json(draft.value)
    elif verb in {"add", "remove"}:
        draft.value = forms.commanded(draft.value, command)
        draft.problems = []
    elif verb == "check" and not draft.problems:
        draft.problems = operations.check_input(kind, name, draft.value)
        draft.valid = not draft.problems
    return draft


def _prefilled(request: HttpRequest, name: str) -> Draft:
    """Begin with the input of another run of the same definition, without what is masked there."""
    try:
        found = queries.run(UUID(request.GET.get("from", "")))
    except ValueError:
        return Draft(value=forms.MISSING, options=_options({}))
    if found is None or found.name != name:
        return Draft(value=forms.MISSING, options=_options({}))
    return Draft(value=forms.without_masked(found.input), options={**_options({}), "tags": " ".join(found.tags)})


def _show(request: HttpRequest, definition: Any, kind: str, draft: Draft) -> HttpResponse:
    root = forms.build(definition.input_schema, draft.value, draft.problems)
    tab = "json" if root.widget == "json" else draft.tab
    value = {} if draft.value is forms.MISSING else draft.value
    context = {
        "definition": definition,
        "kind": kind,
        "root": root,
        "tab": tab,
        "only_json": root.widget == "json",
        "text": draft.text or as_json(value),
        "options": draft.options,
        "problems": draft.problems if tab == "json" else forms.loose_problems(root, draft.problems),
        "count": len(draft.problems),
        "refusal": draft.refusal,
        "valid": draft.valid,
        "back": reverse(kind, args=[definition.name]),
    }
    return render(request, "definitions/start.html", context, status=422 if draft.problems or draft.refusal else 200)
