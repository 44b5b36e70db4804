"""Check workflow documents against what is published, without saving them."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from workflows import operations


class Command(BaseCommand):
    """Print each problem of each FILE with its pointer; end with 1 if there are any."""

    help = "Check workflow documents (YAML or JSON) against the published actions and workflows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="+", help="a document, YAML 1.2 or JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        summaries = [self._check(path) for path in options["file"]]
        failed = [summary for summary in summaries if summary]
        if failed:
            raise CommandError("; ".join(failed), returncode=1)

    def _check(self, path: Path) -> str:
        """Print the problems of one document, and return how many there are as a sentence; none is an empty text."""
        _, problems = operations.check_workflow(_read(path))
        for problem in problems:
            self.stdout.write(str(problem))
        if problems:
            return f"{path}: 1 problem" if len(problems) == 1 else f"{path}: {len(problems)} problems"
        self.stdout.write(f"{path}: no problems")
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", returncode=1) from None
    except UnicodeDecodeError as error:
        raise CommandError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8", returncode=1) from None
