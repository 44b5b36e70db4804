"""Words about groups of failures."""

from typing import Any

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

register = template.Library()

TRENDS = {
    "new": gettext_noop("New"),
    "first": gettext_noop("First time"),
    "regressed": gettext_noop("Regressed"),
    "since": gettext_noop("Since %(version)s"),
    "ongoing": gettext_noop("Ongoing"),
}
MEANINGS = {
    "new": gettext_noop("It began within the last 24 hours."),
    "first": gettext_noop("It has happened once."),
    "regressed": gettext_noop("It came back after somebody had resolved it."),
    "since": gettext_noop("It began within a day of a new version."),
    "ongoing": gettext_noop("It has been happening for more than a day."),
}


@register.filter
def trend(group: Any) -> str:
    """Return how a group came about, in a word or two."""
    return _(TRENDS[group.trend]) % {"version": group.first_version}


@register.filter
def trend_meaning(group: Any) -> str:
    """Return the same as a sentence."""
    return _(MEANINGS[group.trend])


@register.filter
def failure_title(group: Any) -> str:
    """Return what a group is called: its error code and its message."""
    if group.message and group.message != group.code:
        return f"{group.code}: {group.message}"
    return str(group.code)
