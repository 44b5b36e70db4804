"""`manage.py audit_key`: print the public key that the seals of this installation are signed with."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit import signing


class Command(BaseCommand):
    help = "Print the public key (Ed25519, base64) for whoever verifies seals and exports elsewhere."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        key = signing.public_key()
        if not key:
            raise CommandError("No key signs the seals here: set DOTDO_AUDIT_SIGNING_KEY, or run `make migrate` once.")
        self.stdout.write(key)
