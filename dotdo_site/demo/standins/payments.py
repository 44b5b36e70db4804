"""The payment service: one charge for one Idempotency-Key, however often it is asked for."""

import hashlib
import json
import sqlite3
from http import HTTPStatus
from typing import Any

from dotdo_site.demo.standins.answers import Answer, Request, refused
from dotdo_site.demo.standins.once import done, once
from dotdo_site.demo.standins.store import Store

DECLINED = "tok_declined"
FIELDS = ("customer", "card", "amount", "currency")


def charge(store: Store, request: Request) -> Answer:
    """Charge a card once for each Idempotency-Key; the same key again answers the same charge."""
    if not request.key:
        return refused(HTTPStatus.BAD_REQUEST, "no_key", "a charge needs an Idempotency-Key")
    if missing := [name for name in FIELDS if name not in request.body]:
        return refused(HTTPStatus.BAD_REQUEST, "incomplete", f"missing: {', '.join(missing)}")
    digest = hashlib.sha256(json.dumps(request.body, sort_keys=True).encode()).hexdigest()
    with store.transaction() as database:
        known = database.execute("SELECT * FROM charge WHERE key = ?", [request.key]).fetchone()
        return _again(database, known, digest) if known else _first(database, request, digest)


def charges(store: Store, request: Request) -> Answer:
    """List the charges, all or those of `?customer=`; `asked` says how often each was asked for."""
    with store.transaction() as database:
        rows = database.execute(
            "SELECT answer, asked FROM charge WHERE ? IN ('', customer) ORDER BY rowid",
            [request.query.get("customer", "")],
        ).fetchall()
    return Answer(HTTPStatus.OK, [{**json.loads(row["answer"]), "asked": row["asked"]} for row in rows])


def refund(store: Store, request: Request) -> Answer:
    """Give back a charge."""
    return once(store, request, "refund", "re", ("charge",), f"refunded {request.body.get('charge')}")


def refunds(store: Store, request: Request) -> Answer:
    """List the refunds."""
    del request
    return done(store, "refund")


def _first(database: sqlite3.Connection, request: Request, digest: str) -> Answer:
    body = request.body
    if body["card"] == DECLINED:
        return refused(HTTPStatus.PAYMENT_REQUIRED, "card_declined", f"the card of {body['customer']} was declined")
    made: dict[str, Any] = {
        "id": "ch_" + hashlib.sha256(request.key.encode()).hexdigest()[:16],
        "status": "succeeded",
        **{name: body[name] for name in FIELDS if name != "card"},
    }
    database.execute(
        "INSERT INTO charge VALUES (?, ?, ?, ?, 1)", [request.key, str(body["customer"]), digest, json.dumps(made)]
    )
    return Answer(HTTPStatus.CREATED, made, f"charged {body['customer']}: {made['id']}")


def _again(database: sqlite3.Connection, known: sqlite3.Row, digest: str) -> Answer:
    if known["request"] != digest:
        return refused(HTTPStatus.UNPROCESSABLE_ENTITY, "key_reused", "this key belongs to another charge")
    database.execute("UPDATE charge SET asked = asked + 1 WHERE key = ?", [known["key"]])
    made = json.loads(known["answer"])
    return Answer(HTTPStatus.OK, made, f"known already, not charged again: {made['id']}")
