"""The report service, which takes its time: a report is done when it is looked at for the third time."""

import json
from http import HTTPStatus

from dotdo_site.demo.standins.answers import Answer, Request, refused
from dotdo_site.demo.standins.once import once
from dotdo_site.demo.standins.store import Store

LOOKS = 3
ENDLESS = "endless"
IMPOSSIBLE = "impossible"


def start(store: Store, request: Request) -> Answer:
    """Take an order for a report."""
    started = once(store, request, "report", "rp", ("kind",), f"began a report of {request.body.get('kind')}")
    if started.status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer(started.status, {**started.content, "status": "running"}, started.said)
    return started


def look(store: Store, request: Request) -> Answer:
    """Show how far a report is: an endless one never ends, an impossible one fails."""
    with store.transaction() as database:
        row = database.execute(
            "SELECT * FROM done WHERE what = 'report' AND json_extract(answer, '$.id') = ?", [request.name]
        ).fetchone()
        if row is None:
            return refused(HTTPStatus.NOT_FOUND, "unknown_report", f"there is no report {request.name}")
        database.execute("UPDATE done SET asked = asked + 1 WHERE what = 'report' AND key = ?", [row["key"]])
    report = json.loads(row["answer"])
    status = _status(report["kind"], row["asked"])
    return Answer(HTTPStatus.OK, {**report, "status": status}, f"{request.name} is {status}")


def _status(kind: str, looks: int) -> str:
    if kind == ENDLESS or looks < LOOKS:
        return "running"
    return "failed" if kind == IMPOSSIBLE else "done"
