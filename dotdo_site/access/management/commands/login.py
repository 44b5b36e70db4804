import getpass
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse
from django.utils import timezone

from dotdo_site.access import links, people


class Command(BaseCommand):
    """Print a one-time sign-in link."""

    help = "Print a link that signs in once, within 15 minutes, from this machine. Makes the first administrator."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the web server listens")
        parser.add_argument("--user", default="admin", help="who signs in")

    def handle(self, *args: Any, url: str, user: str, **options: Any) -> None:
        """Print the link, alone on its line."""
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            raise CommandError(f"--url {url!r} is not an address such as http://127.0.0.1:8000")
        try:
            person = people.administrator(user)
        except people.NoSuchPerson as error:
            raise CommandError(str(error)) from None
        token = links.create(person, actor=f"cli:{getpass.getuser()}", now=timezone.now())
        self.stdout.write(url.rstrip("/") + reverse("sign-in-link", args=[token]))
