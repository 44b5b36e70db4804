from django.apps import AppConfig
from django.contrib.postgres.indexes import OpClass
from django.db.models.expressions import OrderBy
from django.db.models.functions import Collate
from django.db.models.indexes import IndexExpression

from actions import schemas
from workflows import build, expressions, occurrences


class WorkflowsConfig(AppConfig):
    name = "workflows"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let indexes name an operator class; let the builder check expressions and schemas as publishing does."""
        IndexExpression.register_wrappers(OrderBy, OpClass, Collate)  # as django.contrib.postgres would
        build.install(
            build.Tools(
                expressions.compiles,
                lambda schema: [(problem.pointer, problem.message) for problem in schemas.check_schema(schema)],
                occurrences.cron_problem,
            )
        )
