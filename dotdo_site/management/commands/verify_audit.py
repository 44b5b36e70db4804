"""`manage.py verify_audit`: compute every hash chain again, and hold its end against what the runs say."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.verify import Broken, verify
from workflows import queries


class Command(BaseCommand):
    help = "Verify the audit trail; exits with an error that names the first broken link of each broken chain."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one chain, or all."""
        parser.add_argument("--chain", type=uuid.UUID, help="Only this chain (a branch of a run, or a definition).")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify and report."""
        result = verify(options["chain"])
        known = {item.chain for item in result.broken}
        cut = queries.cut_chains(options["chain"])
        ends = [Broken(chain, seq, "it is not the last link that the run wrote") for chain, seq in cut]
        broken = result.broken + [item for item in ends if item.chain not in known]
        for item in broken:
            self.stderr.write(f"chain {item.chain}, link {item.seq}: {item.why}")
        if broken:
            raise CommandError(f"{len(broken)} of {len(result.heads)} chains are broken")
        self.stdout.write(f"{result.events} events in {len(result.heads)} chains: every link fits")
