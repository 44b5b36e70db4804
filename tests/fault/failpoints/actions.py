"""What the runs of the matrix do: a row without any constraint that would hide a second one, and a request outside."""

import http.client
import os
import time
from typing import Any

from django.db import connection

from actions import Retry, action
from actions.context import Context

SINK = "FAILPOINTS_SINK"
QUICK = Retry(max_attempts=4, backoff="constant", initial="50ms", max="50ms", jitter=0)


@action("failpoint-ledger", retry=QUICK, timeout="1s")
def ledger(ctx: Context, name: str) -> dict[str, Any]:
    """Write one row in the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO entry (namespace, key, value, version, updated_at) "
            "VALUES ('ledger', %s || '/' || %s || '/' || gen_random_uuid(), '1', 1, now())",
            [ctx.run_id, name],
        )
    return {"name": name}


@action("failpoint-send", transactional=False, retry=QUICK, timeout="20s")
def send(ctx: Context, seconds: float = 0.0) -> dict[str, Any]:
    """Post to the sink, which counts by key, and take some time over it."""
    to = http.client.HTTPConnection("127.0.0.1", int(os.environ[SINK]), timeout=10)
    to.request("POST", "/", body=b"", headers={"Idempotency-Key": ctx.idempotency_key})
    to.getresponse().read()
    to.close()
    time.sleep(seconds)
    return {"sent": True}
