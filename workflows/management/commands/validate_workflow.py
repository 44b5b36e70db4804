"""Check a workflow document against the published actions, without saving it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from workflows import operations


class Command(BaseCommand):
    """Print each problem of FILE with its pointer; end with 1 if there are any."""

    help = "Check a workflow document (YAML or JSON) against the published actions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the document, YAML 1.2 or JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        _, problems = operations.check_workflow(_read(path))
        for problem in problems:
            self.stdout.write(str(problem))
        if problems:
            count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
            raise CommandError(f"{path}: {count}", returncode=1)
        self.stdout.write(f"{path}: no problems")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", returncode=1) from None
    except UnicodeDecodeError as error:
        raise CommandError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8", returncode=1) from None
