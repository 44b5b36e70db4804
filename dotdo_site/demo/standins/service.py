"""All stand-ins together, in threads of one process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dotdo_site.demo.standins import smtp, web
from dotdo_site.demo.standins.store import Store


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the stand-ins listen."""

    http: int
    smtp: int


@contextmanager
def serving(folder: Path, ports: Ports) -> Iterator[Ports]:
    """Serve until the block ends; port 0 means any free one. Raises OSError when a port is taken."""
    store = Store(folder)
    with web.Server(ports.http, store) as http, smtp.Server(ports.smtp, store) as mail:
        threads = [threading.Thread(target=server.serve_forever, args=[0.1]) for server in (http, mail)]
        for thread in threads:
            thread.start()
        try:
            yield Ports(http.server_address[1], mail.server_address[1])
        finally:
            for server in (http, mail):
                server.shutdown()
            for thread in threads:
                thread.join()
            store.close()
