"""The side navigation: only pages that exist, and only those that the reader may open."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from dotdo_site.access.people import roles_of
from workflows import queries
from workflows.approvals import Person, person_of

register = template.Library()


@dataclass(frozen=True)
class Entry:
    """A link of the navigation. `section` is the first part of the paths for which it is the current one; `count`
    tells how much waits there, in the colour of the status `tone`. `key` leads there after a `g`.
    """

    icon: str
    title: Any
    url: str
    section: str
    permission: str = ""
    count: Callable[[Person], int] | None = None
    tone: str = "waiting"
    key: str = ""


@dataclass(frozen=True)
class Link:
    """An entry that this reader may open, on this page."""

    entry: Entry
    url: str
    current: bool
    count: int = 0


SEE_FAILURES = "workflows.view_failuregroup"
SEE_MESSAGES = "workflows.view_notification"


def _undelivered(_reader: Person) -> int:
    return queries.undelivered()


def _failures(_reader: Person) -> int:
    return queries.open_failures()


NAVIGATION = (
    (
        _("Operate"),
        (
            Entry("home", _("Overview"), "overview", "", "workflows.view_run", key="o"),
            Entry("list", _("Runs"), "runs", "runs", "workflows.view_run", key="r"),
            Entry("alert", _("Failures"), "failures", "failures", SEE_FAILURES, _failures, "failed", "f"),
            Entry(
                "person",
                _("Approvals"),
                "approvals",
                "approvals",
                "workflows.answer_approval",
                queries.count_approvals,
                key="p",
            ),
            Entry(
                "bell", _("Notifications"), "notifications", "notifications", SEE_MESSAGES, _undelivered, "failed", "n"
            ),
            Entry("bolt", _("Events"), "events", "events", "workflows.view_event", key="e"),
            Entry("calendar", _("Schedules"), "schedules", "schedules", "workflows.view_schedule", key="t"),
            Entry("data", _("Datastore"), "datastore", "datastore", "workflows.view_entry", key="d"),
        ),
    ),
    (
        _("Build"),
        (
            Entry("flow", _("Workflows"), "workflows", "workflows", "workflows.view_workflow", key="w"),
            Entry("atom", _("Actions"), "actions", "actions", "actions.view_action", key="a"),
        ),
    ),
    (
        _("System"),
        (
            Entry("sliders", _("Workers and queues"), "system", "system", "workflows.view_worker", key="q"),
            Entry("shield", _("Audit log"), "audit", "audit", "audit.view_auditevent", key="l"),
            Entry("layers", _("Admin"), "admin:index", "admin", "staff"),
            Entry("book", _("API docs"), "api-docs", "api"),
        ),
    ),
)
# What single keys do on a page; static/keys.js presses them.
KEYS = (
    (("/",), _("search")),
    (("j", "k"), _("next, previous row")),
    (("J", "K"), _("next, previous run of the list it was opened from")),
    (("Enter",), _("open the row")),
    (("x",), _("select the row")),
    (("Shift", "x"), _("select all rows up to this one")),
    (("1", "6"), _("the views of a run, from the first to the sixth")),
    (("[", "]"), _("earlier, later attempt")),
    (("Esc",), _("close the step")),
    (("r",), _("retry; asks for a reason first")),
    (("p",), _("pause live updates, go on")),
    (("?",), _("show these keys")),
)


@register.inclusion_tag("_navigation.html", takes_context=True)
def navigation(context: template.Context) -> dict[str, Any]:
    """Show the side navigation for the reader of this page."""
    request = context["request"]
    section = request.path.strip("/").split("/")[0]
    person = SimpleLazyObject(lambda: person_of(request.user))  # asks for the groups once, and only to count
    groups = [(title, _links(entries, request.user, section, person)) for title, entries in NAVIGATION]
    return {
        "groups": [group for group in groups if group[1]],
        "user": request.user,
        "roles": _roles(request.user),
        "csrf_token": context.get("csrf_token"),
    }


@register.inclusion_tag("_keys.html", takes_context=True)
def keys(context: template.Context) -> dict[str, Any]:
    """List what single keys do, and where `g` leads this reader."""
    user = context["request"].user
    return {"here": KEYS, "there": [(entry.key, entry.title) for entry in _open_to(user) if entry.key]}


def _links(entries: tuple[Entry, ...], user: Any, section: str, person: Any) -> list[Link]:
    return [
        Link(entry, _url(entry), entry.section == section, entry.count(person) if entry.count else 0)
        for entry in entries
        if _url(entry) and _may(entry, user)
    ]


def _open_to(user: Any) -> list[Entry]:
    return [entry for _title, entries in NAVIGATION for entry in entries if _url(entry) and _may(entry, user)]


def _roles(user: Any) -> str:
    if not user.is_authenticated:
        return ""
    if user.is_superuser:
        return str(_("Superuser"))
    return ", ".join(roles_of(user)) or str(_("no role"))


def _url(entry: Entry) -> str:
    try:
        return reverse(entry.url)
    except NoReverseMatch:
        return ""


def _may(entry: Entry, user: Any) -> bool:
    if entry.permission == "staff":
        return bool(user.is_staff)
    return not entry.permission or bool(user.has_perm(entry.permission))
