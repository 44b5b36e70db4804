import signal
import sys
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dotdo_site.demo.standins.service import Ports, serving


class Command(BaseCommand):
    """Run the stand-ins until SIGTERM or Ctrl-C."""

    help = "Run the demo's stand-ins on loopback: a payment service and a CRM over HTTP, and a mail server."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--folder", type=Path, default=settings.VAR_DIR / "demo", help="what they remember")

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        """Serve on the ports of the settings."""
        if not settings.DEMO_HTTP_PORT or not settings.DEMO_SMTP_PORT:
            raise CommandError("`make up` runs the stand-ins; alone, set DOTDO_DEMO_HTTP_PORT and DOTDO_DEMO_SMTP_PORT")
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        try:
            with serving(folder, Ports(settings.DEMO_HTTP_PORT, settings.DEMO_SMTP_PORT)) as ports:
                self.stdout.write(f"payments and CRM at http://127.0.0.1:{ports.http}, mail at 127.0.0.1:{ports.smtp}")
                sys.stdout.flush()
                stop.wait()
        except OSError as error:
            raise CommandError(f"the stand-ins cannot listen: {error}") from None
