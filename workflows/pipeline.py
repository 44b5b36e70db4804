"""Two statements in one journey to the server, each a transaction of its own (libpq's pipeline mode).

The server begins the second as soon as the first is committed: nobody has to hear of that, and answer, in between.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import errors, generators, pq
from psycopg.abc import Buffer

Raw = psycopg.Connection[tuple[Any, ...]]


def both(
    raw: Raw, first: bytes, parameters: Sequence[Buffer | None], second: bytes
) -> tuple[pq.abc.PGresult, pq.abc.PGresult | Exception]:
    """Execute two prepared statements; return both answers, or how the server was lost behind the first.

    Raises psycopg.Error when it was lost before. A connection with an answer still to come is closed.
    """
    answers: list[pq.abc.PGresult] = []
    try:
        _send(raw.pgconn, first, parameters, second)
        while len(answers) < 4:  # each is followed by the end of its transaction
            answers += _next(raw)
        raw.pgconn.exit_pipeline_mode()
    except BaseException as error:
        raw.close()  # what is still to come would be taken for the answer to something else
        if not answers or not isinstance(error, psycopg.Error):
            raise
        return answers[0], error
    return answers[0], answers[2]


def _send(pgconn: pq.abc.PGconn, first: bytes, parameters: Sequence[Buffer | None], second: bytes) -> None:
    pgconn.enter_pipeline_mode()
    pgconn.send_query_prepared(first, parameters)
    pgconn.pipeline_sync()
    with suppress(psycopg.OperationalError):  # the server is gone: how is told by what should be the first answer
        pgconn.send_query_prepared(second, [])
        pgconn.pipeline_sync()


def _next(raw: Raw) -> list[pq.abc.PGresult]:
    # This wait, unlike libpq's own, keeps neither other threads nor signals waiting.
    found: list[pq.abc.PGresult] = raw.wait(generators.execute(raw.pgconn))
    if not found:
        raise errors.OperationalError("the connection broke")
    return found
