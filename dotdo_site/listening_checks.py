"""A check of the server that the cluster listens at, when that is another address than the database's."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004 - Django's name
from django.db import DEFAULT_DB_ALIAS
from psycopg.conninfo import conninfo_to_dict

from dotdo_site.pooling import is_pooled

HINT = "Set DOTDO_LISTEN_URL to the server itself that takes the writes. Meanwhile the cluster polls."


@register(Tags.database)
def check_where_to_listen(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check that the address to listen at leads to a server that lets us."""
    if DEFAULT_DB_ALIAS not in (databases or ()) or not settings.LISTEN_URL:
        return []
    return [Warning(f"DOTDO_LISTEN_URL {trouble}", hint=HINT, id="dotdo.W081") for trouble in _troubles()]


def _troubles() -> Iterator[str]:
    try:
        parameters: dict[str, Any] = {**settings.PATIENCE, **conninfo_to_dict(settings.LISTEN_URL)}
        with psycopg.connect(**parameters, autocommit=True) as raw:
            if is_pooled(raw):
                yield "leads through a pooler, where nobody can listen."
            if raw.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
                yield "leads to a standby, which refuses to let anybody listen."
    except psycopg.Error as error:
        yield f"cannot be reached: {str(error).strip()}"
