"""Lists with a filter: what the address asks for, its page, and the addresses of other pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dotdo_site.lib import durations
from dotdo_site.lib.moments import can_be_asked
from dotdo_site.lib.paging import BadCursor
from workflows.queries import Page
from workflows.views import live

PAGE_SIZE = 50
LONGEST = 500
SHOWN = 100
PAGING = ("after", "before", "v", "h", "top")
Words = str | Promise
WINDOWS: Mapping[str, Words] = {
    "1h": gettext_lazy("last hour"),
    "24h": gettext_lazy("last 24 hours"),
    "7d": gettext_lazy("last 7 days"),
    "30d": gettext_lazy("last 30 days"),
}


@dataclass(frozen=True)
class Criterion:
    """One key of a filter: its title, how it is read (ValueError says what is wrong), or the values that it has.

    `exact`: spaces around it belong to it.
    """

    title: Words
    read: Callable[[str], Any] = str
    choices: Mapping[str, Words] = field(default_factory=dict)
    exact: bool = False


@dataclass(frozen=True)
class Chip:
    """One part of the filter in words, and the query without it."""

    title: Words
    value: Words
    without: str


@dataclass(frozen=True)
class Asked:
    """A filter as it stands in the address; with problems nothing is shown, rather than everything."""

    criteria: Mapping[str, Criterion]
    values: Mapping[str, str]
    read: Mapping[str, Any]
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, query: Mapping[str, str], criteria: Mapping[str, Criterion]) -> "Asked":
        """Read the filter from a query."""
        values = {key: query.get(key, "").replace("\x00", "")[:LONGEST] for key in criteria}
        values = {key: value if criteria[key].exact else value.strip() for key, value in values.items()}
        values = {key: value for key, value in values.items() if value}
        read, problems = dict[str, Any](), [_unknown(key, criteria) for key in query if key not in {*criteria, *PAGING}]
        for key, value in values.items():
            try:
                read[key] = _read(criteria[key], value)
            except ValueError as error:
                problems.append(f"{key}={value}: {error}")
        return cls(criteria, values, read, tuple(problems))

    def query(self, *without: str, **changes: str) -> str:
        """Return the query string with some keys left out and others changed."""
        return urlencode({**{key: value for key, value in self.values.items() if key not in without}, **changes})

    @property
    def chips(self) -> list[Chip]:
        """Return what a reader can take away."""
        found = []
        for key, value in self.values.items():
            criterion = self.criteria[key]
            found.append(Chip(criterion.title, criterion.choices.get(value, value), self.query(key)))
        return found

    def window(self, now: datetime) -> dict[str, Any]:
        """Return since when and until when, from `since`, `from` and `until`."""
        given = self.read.get("since")
        since = now - timedelta(seconds=durations.seconds(given)) if given else None
        begins = [moment for moment in (since, self.read.get("from")) if moment]
        return {"since": max(begins, default=None), "until": self.read.get("until")}


Paged = TypeVar("Paged", bound=Page[Any])


def moment(text: str) -> datetime:
    """Return a time, or the beginning of a day, in the reader's zone unless it names another. Raises ValueError."""
    try:
        day = parse_date(text)
        found = datetime(day.year, day.month, day.day) if day else parse_datetime(text)  # noqa: DTZ001 - below
    except ValueError:
        found = None
    if found is None or not can_be_asked(found):
        raise ValueError(_("it is no time: use 2026-01-31 or 2026-01-31T12:00"))
    return found if timezone.is_aware(found) else timezone.make_aware(found)


def identity(text: str) -> UUID:
    """Return an id. Raises ValueError."""
    try:
        return UUID(text)
    except ValueError:
        raise ValueError(_("it is no id")) from None


def page(request: HttpRequest, asked: Asked, read: Callable[..., Paged], empty: Paged) -> dict[str, Any]:
    """Return what a list's template needs: the page that the cursor names, its neighbours, and what is wrong."""
    problems, found = list(asked.problems), empty
    before = request.GET.get("before") or None
    after = None if before else request.GET.get("after") or None
    if not problems:
        try:
            found = read(after=after, before=before, limit=PAGE_SIZE)
        except BadCursor:
            problems.append(_("The address names no page: begin at the first one."))
    return {
        "asked": asked,
        "page": found,
        "problems": problems,
        "first": not (problems or after or before),
        "newer": asked.query(before=found.previous) if found.previous else "",
        "older": asked.query(after=found.next) if found.next else "",
        "windows": WINDOWS,
    }


def poll(context: Mapping[str, Any], url_name: str) -> dict[str, Any]:
    """Return what `_poll.html` needs: the first page of a list asks how much is newer than its first row."""
    items = context["page"].items
    if not context["first"] or not items:
        return {"poll_url": ""}
    query = context["asked"].query(top=str(items[0].id), v="0")
    return {"poll_url": f"{reverse(url_name)}?{query}", "poll_every": live.LIST_SECONDS}


def news(
    request: HttpRequest, asked: Asked, list_name: str, count: Callable[[str], int], words: Callable[[int], str]
) -> HttpResponse:
    """Answer the poller of a list: nothing is put above the reader, a button offers what is new."""
    top = request.GET.get("top", "")
    try:
        found = 0 if asked.problems else count(top)
    except ValueError:
        found = 0
    if live.unchanged(request, str(found)):
        return live.varied(HttpResponse(status=204))
    context = {
        "news": words(found) if found else "",
        "here": f"{reverse(list_name)}?{asked.query()}",
        "poll_url": f"{request.path}?{asked.query(top=top, v=str(found))}",
        "poll_every": live.LIST_SECONDS,
    }
    return live.varied(HttpResponse(render_to_string("listing/_news.html", context, request)))


def _read(criterion: Criterion, value: str) -> Any:
    if criterion.choices and value not in criterion.choices:
        raise ValueError(_("use %(choices)s") % {"choices": ", ".join(criterion.choices)})
    return criterion.read(value)


def _unknown(key: str, criteria: Mapping[str, Criterion]) -> str:
    known = ", ".join(criteria)
    return _("%(key)s is not a filter: use %(known)s.") % {"key": key[:SHOWN], "known": known}
