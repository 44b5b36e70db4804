"""The project package as an app: system checks and commands."""

from django.apps import AppConfig

from dotdo_site import checks  # noqa: F401 - importing registers them


class DotdoSiteConfig(AppConfig):
    """Makes Django run the checks of `checks.py` at every start."""

    name = "dotdo_site"
    verbose_name = "dotdo"
