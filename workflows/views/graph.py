"""The graph of a definition, and of a run as it ran: what is drawn, and where its nodes lead."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.urls import reverse

from actions.models import NAME, SEMVER
from workflows import queries
from workflows.graph import folding, outline, standing
from workflows.graph.outline import Block
from workflows.graph.standing import NOT_REACHED, Standing, Standings
from workflows.language.builtins import BUILTINS
from workflows.language.functions import PROTOCOLS
from workflows.queries import Drawable, RunFacts

# The keys of the address that the graph reads itself; a poller of a page with a graph carries them along.
KEYS = ("open", "shows")
NOT_KEPT = ("v", "h", "attempt", "step")
MOST_OPENED = 50


@dataclass(frozen=True)
class Drawing:
    """Blocks with what a run did to them (None: nothing is known), and the beginnings of addresses.

    `step` ends where the id of a step belongs and `fold` where the pointer of a fold does; with `apart`, htmx swaps
    what the answer names, otherwise the graph alone.
    """

    block: Block
    standings: Standings | None
    chosen: str
    page: str
    step: str
    fold: str
    apart: bool

    def of(self, ref: str) -> Standing:
        """Return what became of a task."""
        return self.standings.of(ref) if self.standings else NOT_REACHED


def of_run(found: RunFacts, request: HttpRequest) -> dict[str, Any]:
    """Return the context of `graph/_graph.html` for a run."""
    version = queries.drawable(found.kind, found.definition_id)
    if version is None:
        return {"graph": None}
    block, marks = outline.read(version.document, version.lock), queries.footprint(found.id)
    step = next((each for each in marks.steps if str(each.id) == request.GET.get("step")), None)
    as_it_ran = request.GET.get("shows") != "definition"
    standings = standing.stand(block, marks.steps, marks.notes) if as_it_ran else None
    kept = _kept(request.GET)
    drawing = _drawing(block, standings, step.ref if step else "", request.GET, page=reverse("run", args=[found.id]))
    newer = version.newest not in ("", version.version)
    return {
        "graph": drawing,
        "graph_of": version,
        "graph_ran": as_it_ran,
        "graph_shows": [_shown(kept, str(step.id) if step else "", shows) for shows in ("run", "definition")],
        "graph_compare": _difference(found.kind, version) if newer else "",
    }


def of_version(document: Mapping[str, Any], lock: Mapping[str, Any], request: HttpRequest) -> Drawing | None:
    """Return the drawing of a version; None for a draft that cannot be read."""
    try:
        block = outline.read(document, lock)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return _drawing(block, None, "", request.GET, page=request.path)


def address_of(calls: str, kind: str) -> str:
    """Return the address of what a task calls, empty for what has no page; a draft may call what there is not."""
    name, _, version = calls.partition(":")
    if kind not in ("call", "run") or not re.fullmatch(NAME, name) or name in BUILTINS or name in PROTOCOLS:
        return ""
    pinned = f"?version={version}" if re.fullmatch(SEMVER, version) else ""
    return reverse("workflow" if kind == "run" else "action", args=[name]) + pinned


def _drawing(block: Block, standings: Standings | None, chosen: str, query: QueryDict, *, page: str) -> Drawing:
    kept, opened = _kept(query), query.getlist("open")[:MOST_OPENED]
    step = {"step": query["step"]} if query.get("step") else {}
    return Drawing(
        block=folding.folded(block, standings, chosen, opened),
        standings=standings,
        chosen=chosen,
        page=page,
        step=f"?{urlencode([*kept, ('step', '')])}",
        fold=f"?{urlencode([*kept, *step.items(), ('open', '')])}",
        apart=standings is not None or "view" in query,
    )


def _kept(query: QueryDict) -> list[tuple[str, str]]:
    return [(key, value) for key, values in query.lists() if key not in NOT_KEPT for value in values]


def _shown(kept: list[tuple[str, str]], step: str, shows: str) -> str:
    rest = [(key, value) for key, value in kept if key not in KEYS]
    chosen = [("step", step)] if step else []
    return f"?{urlencode([*rest, *chosen, *([] if shows == 'run' else [('shows', shows)])])}"


def _difference(kind: str, version: Drawable) -> str:
    return reverse(f"{kind}-diff", args=[version.name, version.version, version.newest])
