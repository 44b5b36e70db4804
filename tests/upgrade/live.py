"""`make upgrade FROM=<commit>`: run that commit with 200 runs in every kind of wait, upgrade to this checkout, finish.

With BACK=1 the other direction: the database is migrated by this checkout, and the code of FROM goes on with it, as
after a deployment that was rolled back. With BOTH=1 workers of both versions go on side by side.
"""

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from dotdo_site import embedded_postgres
from tests.upgrade import golden
from tests.upgrade.installation import REPAIRED, ROOT, Installation, make_world

ROWS = "{:<44} {:>10}"


def main() -> int:
    """Upgrade and print a table; 1 when a run did not end as it should."""
    parser = argparse.ArgumentParser(description="Upgrade a database with runs under way.")
    parser.add_argument("commit", help="the code that made the runs")
    parser.add_argument("--back", action="store_true", help="that code also goes on, on the newer schema")
    parser.add_argument("--both", action="store_true", help="workers of both go on")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dotdo-upgrade-")))
        old = stack.enter_context(golden.checkout_of(options.commit))
        embedded_postgres.start(folder / "var")
        stack.callback(embedded_postgres.remove, folder / "var")
        installation = Installation(embedded_postgres.superuser_url(folder / "var"), folder / "world", old)
        installation.folder.mkdir()
        installation.create()
        return upgrade(installation, [old] if options.back else [old, ROOT] if options.both else [ROOT])


def upgrade(installation: Installation, goes_on: list[Path]) -> int:
    """Make the world on the installation's code, migrate with this one, and finish it with workers of `goes_on`."""
    installation.migrate()
    began = time.monotonic()
    make_world(installation)
    made = time.monotonic()
    installation.checkout = ROOT
    installation.migrate()
    migrated = time.monotonic()
    with ExitStack() as stack:
        for checkout in goes_on:
            installation.checkout = checkout
            stack.enter_context(installation.cluster(**REPAIRED))
        installation.checkout = goes_on[-1]
        report = installation.finish()
    installation.checkout = ROOT
    verified = installation.manage("verify_audit").splitlines()[0]
    figures = {
        "runs in every kind of wait": report["runs"],
        "steps in the end": report["steps"],
        "seconds to make them": round(made - began, 1),
        "seconds to migrate": round(migrated - made, 1),
        "seconds to finish them": report["seconds"],
        "runs that did not end as they should": len(report["problems"]),
    }
    for name, figure in figures.items():
        print(ROWS.format(name, figure))
    print(verified, *report["problems"], sep="\n")
    return 1 if report["problems"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
