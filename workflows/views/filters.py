"""The filter of the run list, as it stands in the address."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dotdo_site.lib import durations
from workflows.queries import FAILED, LABELS, RunFilter
from workflows.templatetags.display import moment_text, word
from workflows.views import listing
from workflows.views.listing import WINDOWS

KINDS = {"workflow": gettext_lazy("workflows"), "action": gettext_lazy("actions")}
STATUSES = (*LABELS, FAILED)
TITLES = {
    "status": gettext_lazy("status"),
    "q": gettext_lazy("text"),
    "name": gettext_lazy("workflow or action"),
    "kind": gettext_lazy("kind"),
    "version": gettext_lazy("version"),
    "tag": gettext_lazy("tag"),
    "key": gettext_lazy("key begins with"),
    "queue": gettext_lazy("queue"),
    "code": gettext_lazy("error code"),
    "group": gettext_lazy("group of failures"),
    "since": gettext_lazy("started since"),
    "until": gettext_lazy("started before"),
    "parent": gettext_lazy("started by step"),
}
KEYS = tuple(TITLES)
PAGING = ("after", "before")
LIVE = ("v", "top", "rows", "h")
LONGEST = 255


@dataclass(frozen=True)
class Chip:
    """One part of the filter in words, and the address without it."""

    key: str
    title: str
    value: str
    without: str


@dataclass(frozen=True)
class Asked:
    """A filter as asked for, and what cannot be understood: then no run is shown, rather than all of them."""

    values: Mapping[str, str]
    problems: tuple[str, ...] = ()

    @classmethod
    def read(cls, query: Mapping[str, str], *, also: tuple[str, ...] = (*PAGING, *LIVE)) -> "Asked":
        """Read the filter from an address; `also` are keys that mean something else."""
        values = {key: query.get(key, "").replace("\x00", "").strip() for key in KEYS}
        given = {key: value for key, value in values.items() if value}
        wrong = {key: sentence for key, value in given.items() if (sentence := _problem(key, value))}
        unknown = [_unknown_key(key) for key in query if key not in (*KEYS, *also)]
        kept = {key: value for key, value in given.items() if key not in wrong}
        return cls(kept, (*wrong.values(), *unknown))

    @classmethod
    def of_text(cls, query: str) -> "Asked":
        """Read the filter from the part of an address behind the question mark."""
        return cls.read(QueryDict(query).dict())

    def at(self, now: datetime) -> RunFilter:
        """Return the filter that queries take; a relative window becomes a moment."""
        asked = self.values
        since, until, parent = asked.get("since", ""), asked.get("until", ""), asked.get("parent", "")
        return RunFilter(
            label=asked.get("status", ""),
            name=asked.get("name", ""),
            kind=asked.get("kind", ""),
            q=asked.get("q", ""),
            tag=asked.get("tag", ""),
            key=asked.get("key", ""),
            version=asked.get("version", ""),
            queue=asked.get("queue", ""),
            code=asked.get("code", ""),
            group=asked.get("group", ""),
            parent=UUID(parent) if parent else None,
            since=now - timedelta(seconds=durations.seconds(since)) if since in WINDOWS else _moment(since),
            until=_moment(until),
        )

    def fixed(self, now: datetime) -> dict[str, str]:
        """Return the filter with whole moments in the place of windows and local times: it means the same for ever."""
        meant = self.at(now)
        moments = {"since": meant.since, "until": meant.until}
        return {**self.values, **{key: moment.isoformat() for key, moment in moments.items() if moment}}

    def without(self, *keys: str, **changes: str) -> str:
        """Return the query string with some keys left out and others changed."""
        return urlencode({**{key: value for key, value in self.values.items() if key not in keys}, **changes})

    @property
    def query(self) -> str:
        """Return the query string of the filter itself."""
        return self.without()

    @property
    def all_chips(self) -> list[Chip]:
        """Return every part of the filter in words."""
        return [
            Chip(key, str(TITLES[key]), in_words(key, value), self.without(key)) for key, value in self.values.items()
        ]

    @property
    def chips(self) -> list[Chip]:
        """Return what a reader can take away, apart from the status, which has its own row."""
        return [chip for chip in self.all_chips if chip.key != "status"]


def in_words(key: str, value: str) -> str:
    """Return the value of a filter as a person would say it."""
    if key == "status":
        return _("Failed") if value == FAILED else word(value)
    if key in ("since", "until") and value not in WINDOWS:
        found = _moment(value)
        return moment_text(found) if found else value
    return str({"since": WINDOWS, "kind": KINDS}.get(key, {}).get(value, value))


def _problem(key: str, value: str) -> str:
    """Return what is wrong with a value, empty when nothing is."""
    if len(value) > LONGEST:
        return _("%(key)s has more than %(most)d characters.") % {"key": key, "most": LONGEST}
    check = _CHECKS.get(key)
    return check(value) if check else ""


def _one_of(key: str, allowed: Mapping[str, object] | tuple[str, ...]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value in allowed:
            return ""
        words = {"asked": f"{key}={value}", "key": key, "allowed": ", ".join(allowed)}
        return _("%(asked)s is none of the values of %(key)s: use %(allowed)s.") % words

    return check


def _is_id(value: str) -> str:
    try:
        UUID(value)
    except ValueError:
        return _("%(asked)s is not the id of a step.") % {"asked": f"parent={value}"}
    return ""


def _is_moment(key: str, windows: Mapping[str, object]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value in windows or _moment(value):
            return ""
        words = {"asked": f"{key}={value}", "allowed": ", ".join((*windows, "2026-11-21T14:00"))}
        return _("%(asked)s is not a time: use one like %(allowed)s.") % words

    return check


def _moment(text: str) -> datetime | None:
    try:
        return listing.moment(text)
    except ValueError:
        return None


def _unknown_key(key: str) -> str:
    return _("%(key)s is not a filter: use %(allowed)s.") % {"key": key[:LONGEST], "allowed": ", ".join(KEYS)}


_CHECKS: dict[str, Callable[[str], str]] = {
    "status": _one_of("status", STATUSES),
    "kind": _one_of("kind", KINDS),
    "since": _is_moment("since", WINDOWS),
    "until": _is_moment("until", {}),
    "parent": _is_id,
}
