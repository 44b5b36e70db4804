"""`manage.py sync_actions`: publish what changed in the code."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from actions import registry, sync


class Command(BaseCommand):
    help = "Publish the versions of actions that the code defines and the database does not have yet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--actor", default="command:sync_actions", help="who is named in the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            registry.discover()
            published = sync.sync(registry.specs(), actor=options["actor"])
        except (registry.DiscoveryError, sync.ContractChanged) as error:
            raise CommandError(str(error)) from None
        for label in published:
            self.stdout.write(f"published {label}")
        self.stdout.write(f"{len(published)} new, {len(registry.specs()) - len(published)} unchanged")
