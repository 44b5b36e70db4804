"""The filter of the run list, as it stands in the address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from dotdo_site.lib import durations
from workflows.queries import LABELS, RunFilter

WINDOWS = {"": "any time", "1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days"}
KINDS = {"": "actions and workflows", "workflow": "workflows", "action": "actions"}
ALLOWED = {"status": (*LABELS, "failed"), "kind": tuple(KINDS), "since": tuple(WINDOWS)}
PAGING = ("after", "before", "v", "top")
KEYS = ("status", "name", "kind", "q", "tag", "since", "parent")
LONGEST = 200


@dataclass(frozen=True)
class Chip:
    """One part of the filter in words, and the address without it."""

    title: str
    value: str
    without: str


@dataclass(frozen=True)
class Asked:
    """A filter as asked for, and what cannot be understood: then no run is shown, rather than all of them."""

    values: Mapping[str, str]
    problems: tuple[str, ...] = ()

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Asked":
        """Read the filter from an address."""
        values = {key: query.get(key, "").replace("\x00", "").strip()[:LONGEST] for key in KEYS}
        kept = {key: value for key, value in values.items() if value and value in ALLOWED.get(key, {value})}
        if kept.get("parent") and _uuid(kept["parent"]) is None:
            del kept["parent"]
        wrong = [_unknown_value(key, value) for key, value in values.items() if value and key not in kept]
        return cls(kept, (*wrong, *(_unknown_key(key) for key in query if key not in (*KEYS, *PAGING))))

    def at(self, now: datetime) -> RunFilter:
        """Return the filter that queries take; a relative window becomes a moment."""
        asked = self.values
        since, status = asked.get("since", ""), asked.get("status", "")
        return RunFilter(
            label="" if status == "failed" else status,  # every run that failed, whatever the reason
            state="failed" if status == "failed" else "",
            name=asked.get("name", ""),
            kind=asked.get("kind", ""),
            q=asked.get("q", ""),
            tag=asked.get("tag", ""),
            parent=_uuid(asked.get("parent", "")),
            since=now - timedelta(seconds=durations.seconds(since)) if since else None,
        )

    def without(self, *keys: str, **changes: str) -> str:
        """Return the query string with some keys left out and others changed."""
        return urlencode({**{key: value for key, value in self.values.items() if key not in keys}, **changes})

    @property
    def chips(self) -> list[Chip]:
        """Return what a reader can take away, apart from the status, which has its own row."""
        return [
            Chip(key, self._word(key, value), self.without(key))
            for key, value in self.values.items()
            if key != "status"
        ]

    @staticmethod
    def _word(key: str, value: str) -> str:
        return {"since": WINDOWS, "kind": KINDS}.get(key, {}).get(value, value)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _unknown_value(key: str, value: str) -> str:
    if key == "parent":
        return f"parent={value} is not the id of a step."
    return f"{key}={value} is none of the values of {key}: use {', '.join(filter(None, ALLOWED[key]))}."


def _unknown_key(key: str) -> str:
    return f"{key[:LONGEST]} is not a filter: use {', '.join(KEYS)}."
