import getpass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dotdo_site.access import keys, scopes
from dotdo_site.access.models import ApiKey


class Command(BaseCommand):
    """Issue, list and revoke API keys."""

    help = "Issue, list and revoke API keys. Scopes: " + " · ".join(
        f"{name}: {text}" for name, text in scopes.SCOPES.items()
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the three verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="print a new key, once")
        create.add_argument("name", help="what the key is for")
        create.add_argument("--owner", default="admin", help="the user whose permissions bound the key")
        create.add_argument("--scope", action="append", required=True, dest="scopes", help="repeat for several")
        create.add_argument("--days", type=int, default=keys.DEFAULT_LIFE.days)
        verbs.add_parser("list", help="list the keys")
        revoke = verbs.add_parser("revoke", help="make a key useless at once")
        revoke.add_argument("prefix", help="the eight characters after dotdo_")
        revoke.add_argument("--reason", default="")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Run one verb."""
        {"create": self._create, "list": self._list, "revoke": self._revoke}[verb](options)

    def _create(self, options: dict[str, Any]) -> None:
        owner = User.objects.filter(username=options["owner"], is_active=True).first()
        if owner is None:
            raise CommandError(f"there is no active user {options['owner']!r}; `login` makes the first one")
        try:
            key, plaintext = keys.issue(
                options["name"], owner, options["scopes"], actor=_actor(), expires_in=timedelta(days=options["days"])
            )
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stderr.write(f"{key.name}: until {key.expires_at:%Y-%m-%d}, for {', '.join(key.scopes)}; shown once:")
        self.stdout.write(plaintext)

    def _list(self, options: dict[str, Any]) -> None:
        for key in ApiKey.objects.select_related("owner"):
            state = "revoked" if key.revoked_at else f"until {key.expires_at:%Y-%m-%d}"
            used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
            scopes_text = ", ".join(key.scopes)
            self.stdout.write(f"{key.prefix}  {key.name}  {key.owner.username}  {state}  used {used}  {scopes_text}")

    def _revoke(self, options: dict[str, Any]) -> None:
        key = ApiKey.objects.filter(prefix=options["prefix"]).first()
        if key is None:
            raise CommandError(f"there is no key {options['prefix']!r}; `api_key list` shows them")
        done = keys.revoke(key, actor=_actor(), reason=options["reason"])
        self.stdout.write("revoked" if done else "it was revoked before")


def _actor() -> str:
    return f"cli:{getpass.getuser()}"
