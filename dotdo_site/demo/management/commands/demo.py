import getpass
import secrets
import signal
import sys
import time
from contextlib import closing
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from dotdo_site.access.people import NoSuchPerson
from dotdo_site.demo import definitions, first_runs
from dotdo_site.demo.story.api import Api, Unexpected, World
from dotdo_site.demo.story.key import temporary_key
from dotdo_site.demo.story.scenes import Story
from dotdo_site.demo.story.screen import GREEN, RED, Screen

NOT_RUNNING = "dotdo does not run here. Start it in another terminal with `make up`, then run `make demo` again."


class Command(BaseCommand):
    """Play the onboarding story on a running dotdo."""

    help = "Play the onboarding story over the HTTP API; exits with an error if anything is not as told."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the web server listens")
        parser.add_argument("--patience", type=float, default=60, help="seconds to wait for one run")

    def handle(self, *args: Any, url: str, patience: float, **options: Any) -> None:
        """Check what is needed, play, and clean up."""
        if not settings.DEMO_HTTP_PORT:
            raise CommandError(NOT_RUNNING)
        if not first_runs.mail_stays_here():
            raise CommandError("DOTDO_SMTP_HOST names a mail server of yours; start `make up` without it for the demo.")
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _leave)
        try:
            self._play(url.rstrip("/"), patience)
        except (Unexpected, NoSuchPerson) as error:
            raise CommandError(f"the story stopped: {error}") from None
        except Error as error:
            raise CommandError(f"{NOT_RUNNING} (The database: {str(error).strip()})") from None
        except KeyboardInterrupt:
            raise CommandError("stopped; its API key is revoked", returncode=130) from None

    def _play(self, url: str, patience: float) -> None:
        began, screen, actor = time.monotonic(), Screen(), f"cli:{getpass.getuser()}"
        screen.say(
            f"The onboarding story, played on {url} over its HTTP API; payment, CRM and mail server are stand-ins."
        )
        definitions.publish(actor=actor)
        with (
            temporary_key(actor) as key,
            closing(Api(url, key)) as api,
            closing(World(settings.DEMO_HTTP_PORT)) as world,
        ):
            story = Story(api, world, screen, url, secrets.token_hex(3), patience)
            told = story.play()
        screen.say()
        if not told:
            screen.say(f"{len(story.failures)} things were not as told (✗ above).", RED)
            sys.exit(1)
        screen.say(f"Everything was as told, in {time.monotonic() - began:.0f} s. Its API key is revoked.", GREEN)
        screen.say(f"All runs: {url}/runs/?tag=demo   Start one yourself: {url}/workflows/customer-onboarding/start/")


def _leave(*_: Any) -> NoReturn:
    sys.exit(143)
