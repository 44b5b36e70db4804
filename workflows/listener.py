"""Hear that work is due: by LISTEN, on a connection with a session of its own; without one, by the passing of time."""

import logging
import time
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from dotdo_site.pooling import is_pooled
from workflows.wake import CHANNEL

log = logging.getLogger(__name__)
AGAIN_SECONDS = 5.0
Raw = psycopg.Connection[Any]


class Listener:
    """Listens on the connection of `DOTDO_LISTEN_URL`, or on Django's own when nothing stands before the server."""

    def __init__(self) -> None:
        self._on: Raw | None = None
        self._seen: Raw | None = None
        self._direct: Raw | None = None
        self._again_at = 0.0

    def listen(self) -> None:
        """Miss nothing that is notified from now on, where that is possible. Raises Error when Django's is away."""
        if settings.LISTEN_URL:
            self._on = self._directly()
            return
        raw = self._on_djangos()
        if raw is not None and raw is not self._on:
            raw.execute(f"LISTEN {CHANNEL}")
        self._on = raw

    @property
    def hears(self) -> bool:
        """Tell whether what is notified is heard here, and not only seen when time has passed."""
        return self._on is not None

    def discard(self) -> None:
        """Forget what was heard so far: under constant load it would pile up."""
        self._hear(0.0, stop_after=None)

    def wait(self, seconds: float) -> bool:
        """Return when somebody says that work is due, at the latest after `seconds`; tell whether somebody did."""
        return self._hear(seconds, stop_after=1)

    def _hear(self, seconds: float, stop_after: int | None) -> bool:
        heard = False
        if self._on is None:
            time.sleep(seconds)
            return heard
        try:
            while self._on.pgconn.notifies() is not None:  # what came in beside the answer to a `Hot` statement
                heard = True
            if heard and stop_after:
                return heard
            for _ in self._on.notifies(timeout=seconds, stop_after=stop_after):
                heard = True
        except psycopg.Error as error:
            if self._on is not self._direct:
                raise
            self._lost(error)
        return heard

    def _on_djangos(self) -> Raw | None:
        connection.ensure_connection()
        raw: Raw = connection.connection
        if raw is not self._seen:
            self._seen = raw
            return None if is_pooled(raw) else raw
        return self._on

    def _directly(self) -> Raw | None:
        if self._direct is None and time.monotonic() >= self._again_at:
            try:
                self._direct = _listening(settings.LISTEN_URL)
            except psycopg.Error as error:
                self._lost(error)
        return self._direct

    def _lost(self, error: psycopg.Error) -> None:
        log.warning("nobody can be heard at DOTDO_LISTEN_URL, polling meanwhile: %s", str(error).strip())
        if self._direct is not None:
            self._direct.close()
        self._direct = self._on = None
        self._again_at = time.monotonic() + AGAIN_SECONDS


def _listening(url: str) -> Raw:
    """Connect and listen; a standby accepts the connection and refuses to listen. Raises psycopg.Error."""
    own = {**settings.PATIENCE, "application_name": "dotdo listener", **conninfo_to_dict(url)}
    raw = psycopg.connect(**own, autocommit=True)  # type: ignore[arg-type]
    try:
        raw.execute(f"LISTEN {CHANNEL}")
    except psycopg.Error:
        raw.close()
        raise
    return raw
