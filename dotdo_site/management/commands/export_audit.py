"""`manage.py export_audit`: write the audit trail to a file; `audit/offline.py` verifies it without the database."""

import getpass
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from audit.exporting import Wanted, export
from dotdo_site.lib.disk import write_new


class Command(BaseCommand):
    help = "Export the audit trail, or a part of it. Exporting is recorded in the trail."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to export, and whereto."""
        parser.add_argument("--kind", choices=["ndjson", "csv"], default="ndjson", help="ndjson can be verified.")
        parser.add_argument("--run", type=uuid.UUID, help="Only events of this run.")
        parser.add_argument("--chain", type=uuid.UUID, help="Only this chain.")
        parser.add_argument("--since", help="From this time on: 2026-01-01 or 2026-01-01T12:00:00Z.")
        parser.add_argument("--until", help="Before this time.")
        parser.add_argument("--to", type=Path, help="A file that does not exist yet; default: standard output.")
        parser.add_argument("--reason", default="", help="Recorded with the export.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the export."""
        wanted = Wanted(options["run"], options["chain"], _moment(options["since"]), _moment(options["until"]))
        path: Path | None = options["to"]
        if path is not None and path.exists():
            raise CommandError(f"{path} exists: name a file that does not")
        text = export(wanted, options["kind"], actor=f"cli:{getpass.getuser()}", reason=options["reason"])
        if path is None:
            self.stdout.writelines(text)
        else:
            _write(path, text)
            sys.stderr.write(f"written to {path}\n")


def _write(path: Path, text: Iterator[str]) -> None:
    try:
        write_new(path, text)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None


def _moment(text: str | None) -> datetime | None:
    """Return a time, or the beginning of a day, of UTC unless another zone is named; None only when none was given."""
    if not text:
        return None
    try:
        day = parse_date(text)
        found = datetime.combine(day, time.min) if day else parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{text!r} is no time: use 2026-01-01 or 2026-01-01T12:00:00Z")
    return found if timezone.is_aware(found) else found.replace(tzinfo=UTC)
