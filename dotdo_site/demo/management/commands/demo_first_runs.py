from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dotdo_site.demo import definitions, first_runs


class Command(BaseCommand):
    """Make the first page show life."""

    help = "Publish the demo's definitions and start its first three runs, each once."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Publish, start, and say what was new."""
        if not settings.DEMO_HTTP_PORT:
            raise CommandError("`make up` runs this; alone, set DOTDO_DEMO_HTTP_PORT and DOTDO_DEMO_SMTP_PORT")
        for label in definitions.publish(actor="system"):
            self.stdout.write(f"published {label}")
        if not first_runs.mail_stays_here():
            self.stdout.write(
                "DOTDO_SMTP_HOST names a mail server of yours: the first runs would write to it; not started"
            )
            return
        started = first_runs.start(actor="system")
        if started:
            self.stdout.write(f"started {started} runs: one succeeds, one waits, one is yours to repair")
