"""`manage.py delete_old_runs`: delete what has been kept for long enough, or show what that would be."""

import getpass
import math
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workflows import retention
from workflows.retention import policy


class Command(BaseCommand):
    help = "Export and delete the runs that have been over for as long as their definitions keep them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether to only look."""
        parser.add_argument("--dry-run", action="store_true", help="Show what is due, and delete nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Show what is due; unless that is all, delete it."""
        due = retention.due()
        for wanted in due:
            self.stdout.write(
                f"{wanted.kind} {wanted.name}: due {policy.count(wanted):,} (kept for {wanted.days} d), "
                f"the oldest since {wanted.oldest:%Y-%m-%d}"
            )
        if options["dry_run"] or not due:
            self.stdout.write("Nothing was deleted." if due else "Nothing is due.")
            return
        try:
            deleted = retention.delete_due(math.inf, actor=f"cli:{getpass.getuser()}", rest=False)
        except (retention.RunsKept, OSError) as error:
            raise CommandError(f"Some runs were not deleted: {error}") from error
        self.stdout.write(f"{deleted:,} runs were deleted, with those that they had started.")
