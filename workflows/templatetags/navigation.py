"""The side navigation: only pages that exist, and only those that the reader may open."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse

from workflows import queries
from workflows.approvals import Person, person_of

register = template.Library()


@dataclass(frozen=True)
class Entry:
    """A link of the navigation. `section` is the first part of the paths for which it is the current one; `count`
    tells how much waits there.
    """

    icon: str
    title: str
    url: str
    section: str
    permission: str = ""
    count: Callable[[Person], int] | None = None


SEE_MESSAGES = "workflows.view_notification"


def _undelivered(_reader: Person) -> int:
    return queries.undelivered()


NAVIGATION = (
    (
        "Operate",
        (
            Entry("home", "Overview", "overview", "", "workflows.view_run"),
            Entry("list", "Runs", "runs", "runs", "workflows.view_run"),
            Entry(
                "person", "Approvals", "approvals", "approvals", "workflows.answer_approval", queries.count_approvals
            ),
            Entry("alert", "Notifications", "notifications", "notifications", SEE_MESSAGES, _undelivered),
            Entry("data", "Datastore", "datastore", "datastore", "workflows.view_entry"),
        ),
    ),
    (
        "Build",
        (
            Entry("flow", "Workflows", "workflows", "workflows", "workflows.view_workflow"),
            Entry("atom", "Actions", "actions", "actions", "actions.view_action"),
        ),
    ),
    (
        "System",
        (
            Entry("layers", "Admin", "admin:index", "admin", "staff"),
            Entry("book", "API docs", "api-docs", "api"),
        ),
    ),
)


@register.inclusion_tag("_navigation.html", takes_context=True)
def navigation(context: template.Context) -> dict[str, Any]:
    """Show the side navigation for the reader of this page."""
    request = context["request"]
    section = request.path.strip("/").split("/")[0]
    groups = [(title, _links(entries, request.user, section)) for title, entries in NAVIGATION]
    return {
        "groups": [group for group in groups if group[1]],
        "user": request.user,
        "roles": _roles(request.user),
        "csrf_token": context.get("csrf_token"),
    }


def _links(entries: tuple[Entry, ...], user: Any, section: str) -> list[tuple[Entry, str, bool, int]]:
    return [
        (entry, _url(entry), entry.section == section, entry.count(person_of(user)) if entry.count else 0)
        for entry in entries
        if _url(entry) and _may(entry, user)
    ]


def _roles(user: Any) -> str:
    if not user.is_authenticated:
        return ""
    if user.is_superuser:
        return "Superuser"
    return ", ".join(user.groups.order_by("name").values_list("name", flat=True))


def _url(entry: Entry) -> str:
    try:
        return reverse(entry.url)
    except NoReverseMatch:
        return ""


def _may(entry: Entry, user: Any) -> bool:
    if entry.permission == "staff":
        return bool(user.is_staff)
    return not entry.permission or bool(user.has_perm(entry.permission))
