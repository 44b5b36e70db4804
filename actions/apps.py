from django.apps import AppConfig


class ActionsConfig(AppConfig):
    name = "actions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from actions import checks, logs  # noqa: F401, PLC0415 - importing registers the checks; they need the models

        logs.keep_secrets_out()
