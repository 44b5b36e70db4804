"""`python -m tests.upgrade.make_golden NAME [COMMIT]`: leave a database behind for the releases to come.

Each release adds one file, made from its own code before anything newer is committed: NAME is its version or date,
COMMIT (HEAD unless given) what it consists of. `test_golden.py` runs over all of them.
"""

import argparse
import tempfile
from pathlib import Path

from dotdo_site import embedded_postgres
from tests.upgrade import golden
from tests.upgrade.installation import Installation, make_world

LARGEST = 300_000


def main() -> int:
    """Make the world on the code of a commit, and pack what it left."""
    parser = argparse.ArgumentParser(description="Write a golden history.")
    parser.add_argument("name", help="the release, such as 0.2.0")
    parser.add_argument("commit", nargs="?", default="HEAD")
    options = parser.parse_args()
    path = golden.FOLDER / f"{options.name}.tar.xz"
    with tempfile.TemporaryDirectory(prefix="dotdo-golden-") as folder, golden.checkout_of(options.commit) as checkout:
        var = Path(folder) / "var"
        embedded_postgres.start(var)
        try:
            installation = Installation(embedded_postgres.superuser_url(var), Path(folder) / "world", checkout)
            installation.folder.mkdir()
            installation.create()
            installation.migrate()
            make_world(installation)
            golden.save(installation, path)
        finally:
            embedded_postgres.remove(var)
    print(f"{path}: {path.stat().st_size:,} bytes")
    return 0 if path.stat().st_size <= LARGEST else 1


if __name__ == "__main__":
    raise SystemExit(main())
