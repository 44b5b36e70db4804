"""`manage.py verify_audit`: compute every chain and seal again, and hold the ends against what the runs say."""

import time
import uuid
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import signing
from workflows import verifying
from workflows.verifying import Report

SHOWN = 100


class Command(BaseCommand):
    help = "Verify the audit trail; exits with an error that names the first broken link of each broken chain."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one chain, or all; where the seals were written to; whose signatures count."""
        parser.add_argument("--chain", type=uuid.UUID, help="Only this chain (a branch of a run, or a definition).")
        parser.add_argument("--anchor", type=Path, help="A copy of the seals; default: DOTDO_AUDIT_ANCHOR_FILE.")
        parser.add_argument("--without-anchor", action="store_true", help="Compare no copy of the seals.")
        parser.add_argument("--public-key", action="append", default=[], help="The key of the last seal (base64).")
        parser.add_argument("--processes", type=int, help="Default: one for each core, when there is much to do.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify and report."""
        began = time.monotonic()
        found = verifying.examine(
            options["chain"],
            trusted=_trusted(options["public_key"]),
            anchor=options["anchor"],
            with_anchor=not options["without_anchor"],
            processes=options["processes"],
        )
        self._fail_if(found.wrong)
        self._say_whole(found, time.monotonic() - began)
        self.stdout.write(found.anchor.sentence() if found.anchor else "no anchor was compared")

    def _fail_if(self, wrong: list[str]) -> None:
        for text in wrong[:SHOWN]:
            self.stderr.write(text)
        if wrong:
            count = "1 finding" if len(wrong) == 1 else f"{len(wrong)} findings"
            more = f", of which {SHOWN} are shown" if len(wrong) > SHOWN else ""
            raise CommandError(f"the audit trail is not what was written: {count}{more}")

    def _say_whole(self, result: Report, seconds: float) -> None:
        rate = result.events / max(seconds, 0.001)
        self.stdout.write(
            f"{result.events} events in {result.chains} chains: every link fits ({rate:,.0f} events a second)"
        )
        signed = "the last one is signed with the key that is trusted here" if result.trusted else "no key was compared"
        shown = f"{result.seals} seals: {signed}" if result.seals else "no seals: the end of a chain could be cut off"
        self.stdout.write(shown)


def _trusted(keys: list[str]) -> set[str]:
    for key in keys:
        if not signing.usable(key):
            raise CommandError(f"{key!r} is not a public key: give the base64 that `manage.py audit_key` prints")
    return set(keys)
