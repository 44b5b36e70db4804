"""The project package as an app: system checks, commands, and the application role's rights after migrations."""

from django.apps import AppConfig, apps
from django.core.signals import request_finished, request_started
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from dotdo_site import checks, database_checks, listening_checks, live_connections, newer_schema  # noqa: F401 - importing registers them
from dotdo_site.database_roles import grant
from dotdo_site.pooling import settle


class DotdoSiteConfig(AppConfig):
    """Makes Django run the checks of `checks.py` at every start."""

    name = "dotdo_site"
    verbose_name = "dotdo"

    def ready(self) -> None:
        connection_created.connect(settle, dispatch_uid="dotdo_site.pooling")
        # After Django's own receiver, which wants the question asked.
        request_started.connect(live_connections.trust, dispatch_uid="dotdo_site.live_connections")
        request_finished.connect(live_connections.note, dispatch_uid="dotdo_site.live_connections")
        # Django sends the signal for apps with models only, once for each; one of them is enough.
        post_migrate.connect(grant, sender=apps.get_app_config("access"), dispatch_uid="dotdo_site.database_roles")
