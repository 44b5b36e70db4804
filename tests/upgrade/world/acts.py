"""What people and other systems do to runs of this world: events, answers, commands, each through the API."""

from collections.abc import Callable
from urllib.parse import urlsplit

from .api import Api, rows
from .stories import Act

ENDS_DEADLINE = "SELECT key FROM step WHERE run_id = %s AND kind = 'timer' AND state = 'ready'"


def act(api: Api, of: str, run: str, what: Act) -> None:
    """Do one thing to a run, or to all who listen."""
    verb, *arguments = what
    VERBS[verb](api, of, run, *arguments)


def _event(api: Api, of: str, run: str, kind: str, to: str) -> None:
    count = rows("SELECT count(*) FROM event")[0][0]
    event = {"specversion": "1.0", "id": f"{of}-{count}", "source": "/world", "type": kind, "data": {"of": of}}
    api.post("/events", event | ({"subject": run} if to == "to it" else {}))


def _hook(api: Api, of: str, run: str) -> None:
    address = api.get(f"/datastore/hooks/{of}")["value"]
    answer = api.client.post(urlsplit(address).path, {"of": of}, content_type="application/json")
    assert answer.status_code == 202, (address, answer.content)


def _answer(api: Api, of: str, run: str, step: str) -> None:
    api.post(f"/runs/{run}/answers", {"step": step, "decision": "approved", "data": {}})


def _command(api: Api, of: str, run: str, command: str) -> None:
    api.post(f"/runs/{run}/{command}", {"reason": f"the story of {of}"})


def _fire(api: Api, of: str, run: str, step: str) -> None:
    """End a wait; in an old history it may have ended by itself."""
    api.post(f"/runs/{run}/firings", {"step": step, "reason": f"the story of {of}"}, expect=(200, 201, 409))


def _deadline(api: Api, of: str, run: str) -> None:
    for (step,) in rows(ENDS_DEADLINE, run):
        _fire(api, of, run, step)


VERBS: dict[str, Callable[..., None]] = {
    "event": _event,
    "hook": _hook,
    "answer": _answer,
    "command": _command,
    "fire": _fire,
    "deadline": _deadline,
}
