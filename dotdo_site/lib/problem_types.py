"""What each type of problem means, for the page that its `type` leads to; docs/api.md lists the same."""

from typing import NamedTuple


class ProblemType(NamedTuple):
    """A status, and when it is answered; code is between backticks."""

    status: int
    when: str


TYPES = {
    "bad-request": ProblemType(400, "a header or parameter cannot be used"),
    "invalid-json": ProblemType(
        400,
        "not strict JSON: NaN, duplicate keys, NUL, half of a surrogate pair, more than 64 levels, "
        "5,000 keys in one object, integers beyond 2^53 - 1",
    ),
    "invalid-query": ProblemType(400, "an unknown or unfitting parameter"),
    "invalid-cursor": ProblemType(400, "a cursor that was not given by a list"),
    "invalid-idempotency-key": ProblemType(400, "not 1 to 255 visible ASCII characters"),
    "unauthenticated": ProblemType(401, "no key, or one that is unknown, expired or revoked"),
    "forbidden": ProblemType(403, "the key lacks the scope, or its owner the permission: the detail names it"),
    "not-found": ProblemType(404, "no such run, step, entry or address"),
    "unknown-definition": ProblemType(404, "nothing of this name, or not this version of it, is published; `near`"),
    "method-not-allowed": ProblemType(405, "the address is there, but not for this method: `Allow` lists those it has"),
    "not-acceptable": ProblemType(406, "only JSON is served"),
    "not-possible-now": ProblemType(409, "the state does not allow it"),
    "gone": ProblemType(410, "a run that was erased, or deleted when its time was over: only its audit trail is left"),
    "length-required": ProblemType(411, "a body in chunks, where the web server cannot read one (gunicorn can)"),
    "version-conflict": ProblemType(412, "the entry changed; `current_version`"),
    "body-too-large": ProblemType(413, "more than 1 MiB"),
    "unsupported-media-type": ProblemType(
        415, "anything but `application/json` in UTF-8; events and webhooks take more: the detail says what"
    ),
    "invalid-body": ProblemType(422, "unknown or unfitting fields of the body"),
    "invalid-input": ProblemType(422, "an input, output or answer against its schema: every pointer; nothing was done"),
    "runs-refused": ProblemType(422, "some of a batch of runs cannot be started: every pointer; none was started"),
    "invalid-definition": ProblemType(422, "a draft with problems"),
    "invalid-event": ProblemType(422, "not a CloudEvent 1.0, or too large; with its place for each in a batch"),
    "idempotency-key-reused": ProblemType(422, "the key belongs to a run with another body; `run_id`, `differences`"),
    "precondition-required": ProblemType(428, "a write to the datastore without `If-Match` or `If-None-Match`"),
    "too-many-requests": ProblemType(429, "more requests than the limit: `Retry-After` says when to go on"),
    "internal-error": ProblemType(500, "our mistake, logged under `correlation_id`"),
    "database-away": ProblemType(
        503, "the database is away, full or takes no writes: after `Retry-After`, repeat with the same key"
    ),
}
