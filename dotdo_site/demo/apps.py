from django.apps import AppConfig


class DemoConfig(AppConfig):
    """The onboarding story: definitions, stand-ins for the world outside, first runs. Installed in development only."""

    name = "dotdo_site.demo"
    label = "demo"
