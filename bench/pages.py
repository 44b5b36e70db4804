"""`make bench-pages`: how long the pages take with a million runs, in the process itself, one request at a time.

make bench-pages ARGS="--runs 100000 --only overview --times 5"
"""

import argparse
import gc
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench import harness

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
    def problems(self) -> list[str]:
        """Return what is wrong with it."""
        limit = LONG_LIMIT_MS if "500 steps" in self.title else LIMIT_MS
        slow = [f"p95 over {limit} ms"] if self.p95 > limit else []
        wrong = [f"answered {self.status}"] if self.status >= 400 else []
        return [*wrong, *slow, *(f"reads all of {table}" for table in self.scans)]


def main() -> int:
    """Make the rows, ask for every page, print a table; 1 when a page is too slow."""
    options = _options()
    harness.prepare()
    from bench import pages_definitions, pages_rows

    pages_definitions.publish()
    with harness.superuser() as server:
        begun = time.monotonic()
        pages_rows.fill(server, options.runs)
        print(f"{options.runs:,} runs are there ({time.monotonic() - begun:.0f} s)")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors (over 1 each, times mislead)")
    bad = [measured for measured in _measure(options) if _print(measured)]
    print(f"{len(bad)} of the pages are not as quick as they must be." if bad else "All pages are quick enough.")
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--only", default="", help="only pages whose title contains this")
    parser.add_argument("--explain", action="store_true", help="print the statements of each page with their times")
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> Iterator[Measured]:
    from django.contrib.auth.models import Group, User
    from django.test import Client

    from bench.pages_addresses import addresses

    person, _ = User.objects.get_or_create(username="bench")
    person.groups.set(Group.objects.all())  # nothing is refused
    client = Client(headers={"host": "localhost"}, raise_request_exception=False)
    client.force_login(person)
    client.get("/")
    gc.collect()
    gc.freeze()  # as the web server does
    for title, address in addresses():
        if options.only in title:
            measured = _ask(client, title, address, options)
            if measured.status != 405:  # a command, which has no page of its own
                yield measured


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
    timed = [_timed(client, address) for _ in range(options.times)]
    took, busy = (sorted(values) for values in zip(*timed, strict=True))
    return Measured(
        title=title,
        status=response.status_code,
        median=took[len(took) // 2],
        p95=harness.percentile(took, 0.95),
        cpu=busy[len(busy) // 2],
        queries=queries,
        size=size,
        scans=tuple(table for table in after if after[table] > before.get(table, 0)),
    )


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


def _print(page: Measured) -> bool:
    """Print a line; tell whether something is wrong."""
    words = "; ".join(page.problems)
    times = f"{page.median:7.1f} ms {page.p95:7.1f} ms p95 {page.cpu:7.1f} ms cpu"
    print(f"{page.title:<34} {times} {page.queries:4} queries {page.size:9,} bytes  {words}", flush=True)
    return bool(words)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dotdo_site.settings")
    sys.exit(main())
