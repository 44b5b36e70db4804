"""`manage.py verify_audit`: compute every chain and seal again, and hold the ends against what the runs say."""

import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DataError

from audit import signing, verify_seals
from audit.models import Seal
from audit.verify import Verified, verify
from audit.verify_anchor import Anchored, anchored
from audit.walking import Broken
from workflows import queries

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
        trusted, chain = _trusted(options["public_key"]), options["chain"]
        result = verify(chain, processes=options["processes"])
        wrong = [str(found) for found in result.broken]
        wrong += _told("ends of chains", _cut(result, chain))
        wrong += _told("seals", verify_seals.faults(trusted, chain))
        if chain is None:
            wrong += _told("tombstones", verify_seals.tombstone_faults())
        anchor = None if options["without_anchor"] else _anchored(options["anchor"])
        wrong += [str(fault) for fault in anchor.faults] if anchor else []
        self._fail_if(wrong)
        self._say_whole(result, trusted, time.monotonic() - began)
        self.stdout.write(anchor.sentence() if anchor else "no anchor was compared")

    def _fail_if(self, wrong: list[str]) -> None:
        for text in wrong[:SHOWN]:
            self.stderr.write(text)
        if wrong:
            count = "1 finding" if len(wrong) == 1 else f"{len(wrong)} findings"
            more = f", of which {SHOWN} are shown" if len(wrong) > SHOWN else ""
            raise CommandError(f"the audit trail is not what was written: {count}{more}")

    def _say_whole(self, result: Verified, trusted: set[str], seconds: float) -> None:
        rate = result.events / max(seconds, 0.001)
        self.stdout.write(
            f"{result.events} events in {result.chains} chains: every link fits ({rate:,.0f} events a second)"
        )
        seals = Seal.objects.count()
        signed = "the last one is signed with the key that is trusted here" if trusted else "no key was compared"
        self.stdout.write(f"{seals} seals: {signed}" if seals else "no seals: the end of a chain could be cut off")


def _told(what: str, found: Iterable[object]) -> list[str]:
    """Return the findings of one look; rows that nobody could have written end it, and are one themselves."""
    told = []
    try:
        for each in found:
            told.append(str(each))
    except (ValueError, TypeError, KeyError, OverflowError, DataError) as error:
        told.append(f"{what}: they cannot be read: {type(error).__name__}: {error}")
    return told


def _cut(result: Verified, chain: uuid.UUID | None) -> Iterator[Broken]:
    """Yield the chains that do not end with the link that their branch knows, or are of another run."""
    known = {item.chain for item in result.broken}
    for found, seq, why in queries.cut_chains(chain):
        if found not in known:
            yield Broken(found, seq, why)


def _anchored(named: Path | None) -> Anchored | None:
    path = named or settings.AUDIT_ANCHOR_FILE
    return anchored(Path(path), named=named is not None) if path else None


def _trusted(keys: list[str]) -> set[str]:
    for key in keys:
        if not signing.usable(key):
            raise CommandError(f"{key!r} is not a public key: give the base64 that `manage.py audit_key` prints")
    return set(keys) or {key for key in (signing.public_key(),) if key}
