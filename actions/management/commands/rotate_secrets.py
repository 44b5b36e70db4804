"""`manage.py rotate_secrets`: encrypt every stored secret with the first key of SECRETS_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from actions import secrets


class Command(BaseCommand):
    help = "Encrypt all connection secrets with the current (first) key; afterwards older keys can be removed."

    def handle(self, *args: Any, **options: Any) -> None:
        changed, failures = secrets.rotate(actor="command:rotate_secrets")
        if failures:
            raise CommandError("nothing was changed, because some secrets cannot be read:\n  " + "\n  ".join(failures))
        self.stdout.write(f"{changed} secrets now use the current key")
