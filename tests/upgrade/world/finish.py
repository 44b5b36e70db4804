"""Give every run of a world what it waits for, wait until all have ended, and say what is not as it was declared.

`python -m world.finish`, with the checkout that goes on as the working directory, and its cluster running. Prints a
report as JSON.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from .acts import act
from .api import Api, new_key, rows
from .judging import problems

HERE = Path(os.environ["WORLD_FOLDER"])
END_SECONDS = float(os.environ.get("WORLD_SECONDS", "300"))
# What a day of waiting would do; not the deadlines (`timer`), which would be beaten by what they limit.
DAY_PASSES = """
UPDATE step SET due_at = clock_timestamp()
WHERE state = 'ready' AND kind <> 'timer' AND due_at > clock_timestamp() + interval '30 seconds'
"""
NIGHTS_PASS = "UPDATE schedule SET next_at = next_at - interval '3 days' WHERE kind = 'cron'"
SECOND_OF_TWO = {"specversion": "1.0", "id": "y", "source": "/world", "type": "com.example.world.y"}


def finish() -> dict[str, Any]:
    """Finish the world and return a report: counts, and problems in words."""
    manifest: dict[str, dict[str, Any]] = json.loads((HERE / "manifest.json").read_text())
    api = Api(_key())
    began = time.monotonic()
    replayed = _replay(api, manifest)
    ids = dict(rows("SELECT title, id::text FROM run WHERE title = ANY(%s)", list(manifest)))
    rows(NIGHTS_PASS)
    api.post("/events", SECOND_OF_TWO)
    for of, run in ids.items():
        for what in manifest[of]["acts"]:
            act(api, of, run, what)
    _await_end(manifest)
    found = [*replayed, *problems(api, manifest, ids)]
    steps = rows("SELECT count(*) FROM step")[0][0]
    return {"runs": len(manifest), "steps": steps, "seconds": round(time.monotonic() - began, 1), "problems": found}


def _key() -> str:
    """Use the key that was issued when the world was made, or a new one once it is too old."""
    path = HERE / "key"
    if not path.exists() or Api(path.read_text()).client.get("/api/v1/runs?limit=1").status_code != 200:
        path.write_text(new_key())
    return path.read_text()


def _replay(api: Api, manifest: dict[str, Any]) -> list[str]:
    """Start everything again under its old key: nothing may start. Schedules may, whose moment has come since."""
    made = "SELECT count(*) FROM run WHERE title <> '' AND trigger <> 'schedule'"
    before = rows(made)[0][0]
    for of, told in manifest.items():
        api.start(of.rpartition("-")[0], told["body"], of, expect=(200,))
    after = rows(made)[0][0]
    return [] if before == after == len(manifest) else [f"{before} runs before the replay, {after} after it"]


def _await_end(manifest: dict[str, Any]) -> None:
    until = time.monotonic() + END_SECONDS
    while time.monotonic() < until:
        states = dict(rows("SELECT title, state FROM run WHERE title = ANY(%s)", list(manifest)))
        fires = rows("SELECT count(*) FROM run WHERE name IN ('nightly', 'on-two') AND state = 'succeeded'")[0][0]
        if fires >= 2 and all(states.get(of) == told["ends"] for of, told in manifest.items()):
            return
        rows(DAY_PASSES)
        time.sleep(0.3)


if __name__ == "__main__":
    report = finish()
    print(json.dumps(report))
    raise SystemExit(1 if report["problems"] else 0)
