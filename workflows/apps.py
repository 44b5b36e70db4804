from django.apps import AppConfig

from actions import schemas
from workflows import build, expressions, occurrences


class WorkflowsConfig(AppConfig):
    name = "workflows"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let the builder check expressions and schemas as publishing does."""
        build.install(
            build.Tools(
                expressions.compiles,
                lambda schema: [(problem.pointer, problem.message) for problem in schemas.check_schema(schema)],
                occurrences.cron_problem,
            )
        )
