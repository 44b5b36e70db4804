"""What the services of the stand-ins share: one answer for one Idempotency-Key, and a list of what was done."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from dotdo_site.demo.standins.answers import Answer, Request, refused
from dotdo_site.demo.standins.store import Store


def once(store: Store, request: Request, what: str, prefix: str, fields: tuple[str, ...], said: str) -> Answer:
    """Do something once for each Idempotency-Key: the answer is what was sent, with an id that is made here."""
    if not request.key:
        return refused(HTTPStatus.BAD_REQUEST, "no_key", "this needs an Idempotency-Key")
    if missing := [name for name in fields if name not in request.body]:
        return refused(HTTPStatus.BAD_REQUEST, "incomplete", f"missing: {', '.join(missing)}")
    made = {"id": f"{prefix}_{_digest(request.key)}", **{name: request.body[name] for name in fields}}
    with store.transaction() as database:
        known = database.execute("SELECT * FROM done WHERE what = ? AND key = ?", [what, request.key]).fetchone()
        return _again(database, known, made) if known else _first(database, what, request.key, made, said)


def done(store: Store, what: str) -> Answer:
    """List what was done, in order; `asked` says how often each was asked for."""
    with store.transaction() as database:
        rows = database.execute("SELECT answer, asked FROM done WHERE what = ? ORDER BY rowid", [what]).fetchall()
    return Answer(HTTPStatus.OK, [{**json.loads(row["answer"]), "asked": row["asked"]} for row in rows])


def _first(database: sqlite3.Connection, what: str, key: str, made: Mapping[str, Any], said: str) -> Answer:
    text = json.dumps(made, sort_keys=True)
    database.execute("INSERT INTO done VALUES (?, ?, ?, 1)", [what, key, text])
    return Answer(HTTPStatus.CREATED, made, f"{said}: {made['id']}")


def _again(database: sqlite3.Connection, known: sqlite3.Row, made: Mapping[str, Any]) -> Answer:
    if known["answer"] != json.dumps(made, sort_keys=True):
        return refused(HTTPStatus.UNPROCESSABLE_ENTITY, "key_reused", "this key belongs to another request")
    database.execute("UPDATE done SET asked = asked + 1 WHERE what = ? AND key = ?", [known["what"], known["key"]])
    return Answer(HTTPStatus.OK, made, f"known already, not done again: {made['id']}")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]
