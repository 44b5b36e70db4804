from importlib import import_module

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "dotdo_site.access"
    label = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the audit of sign-ins and describe the API keys to the schema generator."""
        import_module("dotdo_site.access.sessions")
        import_module("dotdo_site.access.documentation")
