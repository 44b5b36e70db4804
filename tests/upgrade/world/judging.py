"""What is not as it was declared, in words."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .api import Api, rows

Manifest = dict[str, dict[str, Any]]


def problems(api: Api, manifest: Manifest, ids: dict[str, str]) -> Iterator[str]:
    """Compare the database, the API and the outside with what the manifest says."""
    yield from (f"{of}: its run is gone" for of in manifest if of not in ids)
    for of, run in ids.items():
        yield from _run(api, of, run, manifest[of])
    yield from _marks(manifest)
    yield from _calls(manifest)
    yield from _rest()


def _run(api: Api, of: str, run: str, told: dict[str, Any]) -> Iterator[str]:
    shown = api.get(f"/runs/{run}")
    if shown["state"] != told["ends"]:
        yield f"{of}: {shown['state']} ({shown['status']}), not {told['ends']}: {shown.get('error')}"
    elif told["output"] is not None and shown["output"] != told["output"]:
        yield f"{of}: its output is {shown['output']!r}, not {told['output']!r}"


def _marks(manifest: Manifest) -> Iterator[str]:
    """Compare what happened in the database: each once, no less, no more."""
    found: dict[str, list[str]] = defaultdict(list)
    for of, name in rows("SELECT of, name FROM world_mark ORDER BY name"):
        found[of].append(name)
    for of, told in manifest.items():
        if sorted(found[of]) != told["marks"]:
            yield f"{of}: left the rows {found[of]}, not {told['marks']}"


def _calls(manifest: Manifest) -> Iterator[str]:
    """Compare what the outside heard: each at least once, under one key, and its fence never went back."""
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    fences: dict[str, list[int]] = defaultdict(list)
    sink = Path(os.environ["WORLD_SINK"])
    for line in sink.read_text().splitlines() if sink.exists() else []:
        of, name, key, fence = line.split()
        keys[of, name].add(key)
        fences[key].append(int(fence))
    for of, told in manifest.items():
        yield from (f"{of}: nobody outside heard of {name}" for name in told["calls"] if not keys[of, name])
    for key, seen in fences.items():
        if seen != sorted(set(seen)):
            yield f"{key}: its fences went back: {seen}"


def _rest() -> Iterator[str]:
    """Look at what belongs to no run, and at the runs that nobody started."""
    if rows("SELECT count(*) FROM entry WHERE namespace = 'world'") != [(10,)]:
        yield "entries of the datastore are gone"
    if rows("SELECT count(*) FROM step WHERE state = 'running'") != [(0,)]:
        yield "steps are still running"
    started = dict(rows("SELECT name, count(*) FROM run WHERE name IN ('nightly', 'on-two') GROUP BY name"))
    if started != {"nightly": 1, "on-two": 1}:
        yield f"the schedules started {started}, not one run each"
