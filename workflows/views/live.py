"""Pages that update themselves: one poller per page, which asks with a version token and gets only what changed.

The address of the next poll carries the token and a digest of every fragment that the reader has. The same token means
204 and nothing happens on the page. Otherwise the fragments are rendered again and those with another digest are sent
out of band, each with its own id, together with the next poller; so an open disclosure or a focused link in a fragment
that did not change stays as it is. What is finished gets a poller without an address, which ends the polling.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

RUN_SECONDS = 2
LIST_SECONDS = 5


@dataclass(frozen=True)
class Live:
    """The fragments of a page, and how it asks for newer ones. `address` empty: it does not ask."""

    fragments: dict[str, str]
    address: str
    token: str
    every: int
    query: Mapping[str, str] | Sequence[tuple[str, str]]

    @property
    def context(self) -> dict[str, Any]:
        """Return what `_poll.html` needs."""
        kept = self.query.items() if isinstance(self.query, Mapping) else self.query
        poll = [*kept, ("v", self.token), ("h", ".".join(map(_digest, self.fragments.values())))]
        return {"poll_url": f"{self.address}?{urlencode(poll)}" if self.address else "", "poll_every": self.every}


def fragments(request: HttpRequest, templates: Mapping[str, str], context: dict[str, Any]) -> dict[str, str]:
    """Render fragments by name."""
    return {name: render_to_string(path, context, request) for name, path in templates.items()}


def unchanged(request: HttpRequest, token: str) -> bool:
    """Tell whether the reader already has the state that the token names."""
    return request.GET.get("v") == token


def answer(request: HttpRequest, token: str, build: Callable[[], Live]) -> HttpResponse:
    """Answer a poll: 204 when nothing changed, otherwise the changed fragments and the next poller."""
    if unchanged(request, token):
        return varied(HttpResponse(status=204))
    live = build()
    known = request.GET.get("h", "").split(".")
    changed = [html for html in live.fragments.values() if _digest(html) not in known]
    poller = render_to_string("_poll.html", live.context, request)
    return varied(HttpResponse("".join([*changed, poller])))


def varied(response: HttpResponse) -> HttpResponse:
    """Say that the same address has a page and a part, so that neither is taken for the other."""
    patch_vary_headers(response, ["HX-Request"])
    return response


def _digest(html: str) -> str:
    return hashlib.sha256(html.encode()).hexdigest()[:12]
