import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from workflows import epoch


class Command(BaseCommand):
    """Raise the epoch, so that every fence from now on is larger than all before."""

    help = (
        "Raise the epoch: every fence from now on is larger than all that were handed out before. For a database that "
        "lost commits without showing it: data put back by hand, or a failover where the server hides who it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the reason."""
        parser.add_argument("--reason", required=True, help="what happened to the database; goes to the audit trail")

    def handle(self, *args: Any, reason: str, **options: Any) -> None:
        """Raise it and print it."""
        value = epoch.lift(actor=f"cli:{getpass.getuser()}", reason=reason)
        self.stdout.write(f"The epoch is {value}. Running workers use it from the next run that they take.")
