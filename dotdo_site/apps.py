"""The project package as an app: system checks, commands, and the application role's rights after migrations."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from dotdo_site import checks  # noqa: F401 - importing registers them
from dotdo_site.database_roles import grant


class DotdoSiteConfig(AppConfig):
    """Makes Django run the checks of `checks.py` at every start."""

    name = "dotdo_site"
    verbose_name = "dotdo"

    def ready(self) -> None:
        post_migrate.connect(grant, sender=self, dispatch_uid="dotdo_site.database_roles")
