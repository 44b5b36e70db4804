"""Post to an address within one total time, however slowly the other side sends what it has to say."""

import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx


class TooSlow(Exception):
    """There was no whole answer within the time."""


def post(url: str, body: str, headers: Mapping[str, str], seconds: float) -> int:
    """Post a text and return the status; the rest of the answer is not read. Raises TooSlow, httpx's errors."""
    limit = _Limit(seconds)
    extensions = {"trace": limit.trace}
    timer = threading.Timer(seconds, limit.cut)
    timer.daemon = True
    timer.start()
    try:
        with (
            httpx.Client(timeout=seconds, follow_redirects=False) as client,
            client.stream("POST", url, content=body, headers=dict(headers), extensions=extensions) as answer,
        ):
            return answer.status_code
    except httpx.TransportError as error:
        if limit.over():
            raise limit.told() from error
        raise
    finally:
        timer.cancel()


class _Limit:
    """The end of an exchange; httpx limits each read alone, so the connection below is cut off."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until = seconds, time.monotonic() + seconds
        self._stream: Any = None

    def over(self) -> bool:
        return time.monotonic() >= self._until

    def told(self) -> TooSlow:
        return TooSlow(f"no answer within {self._seconds:.0f} s")

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Keep the connection in hand, that of TLS once there is one (called by httpcore at every stage)."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._stream = info["return_value"]
        if self.over():
            raise self.told()

    def cut(self) -> None:
        """End the connection, so that whoever reads from it stops."""
        connected = self._stream and self._stream.get_extra_info("socket")
        if connected is not None:
            with suppress(OSError):
                socket.socket.shutdown(connected, socket.SHUT_RDWR)
