"""The CRM. The record of a user whose id begins with `usr_locked` is locked by an import when it is first updated.

That refusal is definite, so the run is parked; meanwhile the import ends, and a retry of the same step succeeds: what
an operator sees when somebody repairs the other side.
"""

import json
from http import HTTPStatus

from dotdo_site.demo.standins.answers import Answer, Request, refused
from dotdo_site.demo.standins.store import Store

LOCKED = "usr_locked"


def update(store: Store, request: Request) -> Answer:
    """Merge the fields into a record, which is made if need be."""
    with store.transaction() as database:
        database.execute("INSERT INTO record VALUES (?, '{}', 0, 0) ON CONFLICT DO NOTHING", [request.name])
        row = database.execute("SELECT * FROM record WHERE id = ?", [request.name]).fetchone()
        if request.name.startswith(LOCKED) and not row["refused"]:
            database.execute("UPDATE record SET refused = 1 WHERE id = ?", [request.name])
            return refused(HTTPStatus.LOCKED, "record_locked", f"record {request.name} is locked by an import")
        fields = {**json.loads(row["fields"]), **request.body}
        revision = row["revision"] + 1
        database.execute(
            "UPDATE record SET fields = ?, revision = ? WHERE id = ?", [json.dumps(fields), revision, request.name]
        )
    return Answer(HTTPStatus.OK, {**fields, "id": request.name, "revision": revision}, f"updated {request.name}")


def record(store: Store, request: Request) -> Answer:
    """Show a record."""
    with store.transaction() as database:
        row = database.execute("SELECT * FROM record WHERE id = ? AND revision > 0", [request.name]).fetchone()
    if row is None:
        return refused(HTTPStatus.NOT_FOUND, "unknown_record", f"there is no record {request.name}")
    return Answer(HTTPStatus.OK, {**json.loads(row["fields"]), "id": row["id"], "revision": row["revision"]})
