"""Make the world: publish, start, and bring every run to where its story rests.

`python -m world.make prepare | start PHASE | rested PHASE | before | manifest`, each with a checkout as the working
directory. Between the calls whoever drives it runs that checkout's cluster.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .acts import act
from .api import Api, new_key, rows
from .stories import CHILD_STORY, NEW_VERSION, RAN, STORIES, Story

SECRET = "correct horse battery staple"
REST_SECONDS = 300.0
HERE = Path(os.environ.get("WORLD_FOLDER", "."))
SCHEDULES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("nightly", {"cron": "30 2 * * *"}),
    ("on-two", {"on": {"all": [{"with": {"type": "com.example.world.x"}}, {"with": {"type": "com.example.world.y"}}]}}),
)


def prepare() -> None:
    """Publish everything, and note the API key."""
    from actions import secrets
    from actions.models import Connection

    key = new_key()
    (HERE / "key").write_text(key)
    api = Api(key)
    secrets.set_secret(Connection(name="world", allowed_hosts=["world.example.com"]), SECRET, actor="user:world")
    for story in (CHILD_STORY, *STORIES):
        api.publish(_document(story, "1.0.0"))
    for name, schedule in SCHEDULES:
        api.publish({**_document(Story(name, RAN), "1.0.0"), "schedule": schedule})
    for n in range(10):
        rows(
            "INSERT INTO entry (namespace, key, value, version, updated_at) VALUES ('world', %s, %s, 1, now())",
            f"entry-{n}", json.dumps({"n": n}),
        )  # fmt: skip
    api.post("/events", {"specversion": "1.0", "id": "x", "source": "/world", "type": "com.example.world.x"})


def start(phase: str) -> None:
    """Start the runs of a phase; the second version of a workflow comes when runs of the first have begun."""
    api = _api()
    for story in _of(phase):
        for of in story.runs:
            api.start(story.name, body(of), of)


def body(of: str) -> dict[str, Any]:
    """Return the request that starts a run; the same one for ever, so that its key can be replayed."""
    value = {"of": of} | ({"at": _moment()} if of.startswith("moment-") else {})
    return {"input": value, "title": of, "version": "1.0.0"}


def rested(phase: str) -> None:
    """Wait until every run of a phase is where its story rests before anybody acts on it."""
    wanted = {of: "waiting" if story.before else story.rests for story in _of(phase) for of in story.runs}
    until = time.monotonic() + REST_SECONDS
    while True:
        found = dict(rows("SELECT title, state FROM run WHERE title <> ''"))
        late = {of: (state, found.get(of)) for of, state in wanted.items() if state and found.get(of) != state}
        hanging = rows("SELECT count(*) FROM step WHERE state = 'running' AND name IN ('call', 'world-hang')")[0][0]
        if not late and (phase != "hanging" or hanging):
            return
        if time.monotonic() > until:
            raise SystemExit(f"not at rest, wanted and found: {late}")
        time.sleep(0.3)


def before() -> None:
    """Do what happens to runs before the upgrade; publish the next version."""
    api = _api()
    for story in STORIES:
        for of, run in _runs(story):
            for what in story.before:
                act(api, of, run, what)
    api.publish(_document(NEW_VERSION, "2.0.0"))


def manifest() -> None:
    """Write down how each run must end, for whoever finishes it."""
    made = {
        of: {
            "ends": story.ends,
            "marks": sorted(story.marks),
            "calls": sorted(story.calls),
            "output": of if story.output == "OF" else story.output,
            "acts": list(story.acts),
            "body": body(of),
        }
        for story in STORIES
        for of, _ in _runs(story)
    }
    (HERE / "manifest.json").write_text(json.dumps(made, indent=0))


def _document(story: Story, version: str) -> dict[str, Any]:
    about = {"dsl": "1.0.3", "namespace": "world", "name": story.name, "version": version}
    return {"document": about, **story.more, "do": story.do}


def _moment() -> str:
    """Return a moment a day after the world was made, the same in each call."""
    made_at = datetime.fromtimestamp((HERE / "key").stat().st_mtime, UTC)
    return (made_at + timedelta(days=1)).isoformat()


def _runs(story: Story) -> list[tuple[str, str]]:
    found = rows("SELECT title, id FROM run WHERE title = ANY(%s)", story.runs)
    return sorted((title, str(run)) for title, run in found)


def _of(phase: str) -> list[Story]:
    return [story for story in STORIES if story.phase == phase]


def _api() -> Api:
    return Api((HERE / "key").read_text())


VERBS: dict[str, Callable[..., None]] = {
    "prepare": prepare,
    "start": start,
    "rested": rested,
    "before": before,
    "manifest": manifest,
}

if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    VERBS[verb](*arguments)
