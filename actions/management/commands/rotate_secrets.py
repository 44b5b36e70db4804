"""`manage.py rotate_secrets`: encrypt every stored secret with the first key of SECRETS_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from actions import rotation

ACTOR = "command:rotate_secrets"


class Command(BaseCommand):
    help = "Encrypt all connection secrets with the current (first) key; afterwards older keys can be removed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--drop-unreadable",
            action="store_true",
            help="empty the secrets that no key can read any more; they must be set again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["drop_unreadable"]:
            for name in rotation.drop_unreadable(actor=ACTOR):
                self.stdout.write(f"{name}: its secret could not be read and is empty now; set it again")
        changed, failures = rotation.rotate(actor=ACTOR)
        if failures:
            raise CommandError("nothing was changed, because some secrets cannot be read:\n  " + "\n  ".join(failures))
        self.stdout.write(f"{changed} secrets now use the current key")
