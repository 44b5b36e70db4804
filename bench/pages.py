"""`make bench-pages`: how long the pages take with a million runs, in the process itself, one request at a time.

make bench-pages ARGS="--runs 100000 --only overview --times 5"
"""

import argparse
import gc
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench import harness

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LIMIT_MS, LONG_LIMIT_MS = 150, 300
LARGE = 10_000  # rows, from which on a table must not be read from end to end


@dataclass(frozen=True)
class Measured:
    """One page: milliseconds, those of Python's own processor time, statements, bytes, and large tables read whole."""

    title: str
    status: int
    median: float
    p95: float
    cpu: float
    queries: int
    size: int
    scans: tuple[str, ...]

    @property
    def is_page(self) -> bool:
        """Tell whether it was a page: of what does not answer as one, only the address is to blame."""
        return self.status in (200, 204) or self.status >= 500

    @property
    def problems(self) -> list[str]:
        """Return what is wrong with the page."""
        limit = LONG_LIMIT_MS if "500 steps" in self.title else LIMIT_MS
        slow = [f"p95 over {limit} ms"] if self.p95 > limit else []
        broken = [f"answered {self.status}"] if self.status >= 500 else []
        return [*broken, *slow, *(f"reads all of {table}" for table in self.scans)]


def main() -> int:
    """Make the rows, ask for every page, print a table; 1 when a page is too slow, 2 when the benchmark is wrong."""
    options = _options()
    harness.prepare()
    from bench import pages_definitions, pages_objects, pages_rows

    pages_definitions.publish()
    with harness.superuser() as server:
        begun = time.monotonic()
        pages_rows.fill(server, options.runs)
        pages_definitions.publish_again()
        person = pages_objects.make()
        pages_rows.settle(server)
        runs, age = pages_rows.there(server)
    hours = age.total_seconds() / 3600
    print(f"{runs:,} runs are there, the newest {hours:.1f} h old ({time.monotonic() - begun:.0f} s)")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors (over 1 each, times mislead)")
    return _judge([_print(measured) for measured in _measure(person, options)])


def _judge(pages: list[Measured]) -> int:
    """Say what became of all; what the benchmark did wrong itself is no page that is slow."""
    from bench.pages_addresses import left_out

    print("Not measured: " + "; ".join(left_out()) + ".")
    lost = [page.title for page in pages if not page.is_page]
    bad = [page.title for page in pages if page.is_page and page.problems]
    if not pages:
        print("ERROR OF THE BENCHMARK: no title contains what --only names.")
    elif bad:
        print(f"{len(bad)} of {len(pages) - len(lost)} pages are not as quick as they must be: {', '.join(bad)}.")
    elif len(pages) > len(lost):
        print(f"All {len(pages) - len(lost)} pages are quick enough.")
    if lost:
        print(
            f"ERROR OF THE BENCHMARK: {len(lost)} of its addresses lead to no page, so say nothing: {', '.join(lost)}."
        )
    return 2 if lost or not pages else 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--only", default="", help="only pages whose title contains this")
    parser.add_argument("--explain", action="store_true", help="print the statements of each page with their times")
    return parser.parse_args()


def _measure(person: "User", options: argparse.Namespace) -> Iterator[Measured]:
    from django.test import Client

    from bench.pages_addresses import addresses

    client = Client(headers={"host": "localhost"}, raise_request_exception=False)
    client.force_login(person)
    client.get("/")
    gc.collect()
    gc.freeze()  # as the web server does
    for title, address in addresses():
        if options.only in title:
            yield _ask(client, title, address, options)


def _ask(client: object, title: str, address: str, options: argparse.Namespace) -> Measured:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    before = _scans()
    with CaptureQueriesContext(connection) as asked:
        response = client.get(address)  # type: ignore[attr-defined]
        size = len(b"".join(response.streaming_content) if response.streaming else response.content)
    after, queries = _scans(), len(asked)
    if options.explain:
        print("\n".join(f"{float(query['time']) * 1000:8.0f} ms  {query['sql'][:2000]}" for query in asked))
    scans = tuple(table for table in after if after[table] > before.get(table, 0))
    page = Measured(title, response.status_code, 0, 0, 0, queries, size, scans)
    return _time(client, address, page, options.times) if page.is_page else page


def _time(client: object, address: str, page: Measured, times: int) -> Measured:
    timed = [_timed(client, address) for _ in range(times)]
    took, busy = (sorted(values) for values in zip(*timed, strict=True))
    median, p95 = took[len(took) // 2], harness.percentile(took, 0.95)
    return replace(page, median=median, p95=p95, cpu=busy[len(busy) // 2])


def _timed(client: object, address: str) -> tuple[float, float]:
    begun, worked = time.perf_counter(), time.process_time()
    response = client.get(address)  # type: ignore[attr-defined]
    for _ in response.streaming_content if response.streaming else ():
        pass
    return (time.perf_counter() - begun) * 1000, (time.process_time() - worked) * 1000


def _scans() -> dict[str, int]:
    """Return how often each large table was read from end to end."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT relname, seq_scan FROM pg_stat_user_tables WHERE n_live_tup > %s", [LARGE])
        return dict(cursor.fetchall())


def _print(page: Measured) -> Measured:
    """Print a line."""
    words = "; ".join(page.problems)
    times = f"{page.median:7.1f} ms {page.p95:7.1f} ms p95 {page.cpu:7.1f} ms cpu"
    line = f"{times} {page.queries:4} queries {page.size:9,} bytes  {words}"
    print(f"{page.title:<34} {line if page.is_page else f'NO PAGE: the address answered {page.status}'}", flush=True)
    return page


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dotdo_site.settings")
    sys.exit(main())
