"""`manage.py verify_audit`: compute every hash chain again."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.verify import verify


class Command(BaseCommand):
    help = "Verify the audit trail; exits with an error that names the first broken link of each broken chain."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one chain, or all."""
        parser.add_argument("--chain", type=uuid.UUID, help="Only this chain (a branch of a run, or a definition).")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify and report."""
        result = verify(options["chain"])
        for broken in result.broken:
            self.stderr.write(f"chain {broken.chain}, link {broken.seq}: {broken.why}")
        if result.broken:
            raise CommandError(f"{len(result.broken)} of {len(result.heads)} chains are broken")
        self.stdout.write(f"{result.events} events in {len(result.heads)} chains: every link fits")
