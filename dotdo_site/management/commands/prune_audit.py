"""`manage.py prune_audit`: delete old chains of runs and events that are gone, after writing them to a file."""

import getpass
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit import pruning
from audit.exporting import Wanted, export
from dotdo_site.lib.disk import write_new

ROUNDS = 1_000_000


class Command(BaseCommand):
    help = "Prune the audit trail of runs and events that are gone; tombstones are left, everything still verifies."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the age, and where the trail is kept."""
        parser.add_argument("--days", type=int, required=True, help="Older than so many days.")
        parser.add_argument("--export", type=Path, help="Write the whole trail to this file first.")
        parser.add_argument("--reason", required=True, help="Recorded with the pruning.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Export, prune, say how much."""
        if options["days"] < 1:
            raise CommandError("--days must be at least 1")
        actor = f"cli:{getpass.getuser()}"
        before = timezone.now() - timedelta(days=options["days"])
        kept = self._export(options["export"], actor, options["reason"]) if options["export"] else ""
        done = pruning.prune_old(before, actor=actor, reason=options["reason"], rounds=ROUNDS, export=kept)
        self.stdout.write(f"pruned {done.chains} chains with {done.links} links")

    def _export(self, path: Path, actor: str, reason: str) -> str:
        """Write the trail as it is and return the digest of the file, as the tombstones name it."""
        digest = hashlib.sha256()

        def hashed() -> Iterator[str]:
            for text in export(Wanted(), "ndjson", actor=actor, reason=reason):
                digest.update(text.encode())
                yield text

        try:
            write_new(path, hashed())
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from None
        return f"sha256:{digest.hexdigest()}"
