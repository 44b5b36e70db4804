"""Whether this process is alive, and whether it can do its work: for load balancers and supervisors."""

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def alive(_: HttpRequest) -> JsonResponse:
    """Answer 200 as long as the process serves requests at all."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(_: HttpRequest) -> JsonResponse:
    """Answer 200 when the database answers and is migrated, else 503 with the reason."""
    try:
        waiting = _unapplied()
    except Error:
        return JsonResponse({"status": "database unavailable"}, status=503, headers={"Retry-After": "5"})
    if waiting:
        return JsonResponse({"status": "migrations not applied", "migrations": waiting}, status=503)
    return JsonResponse({"status": "ready"})


def _unapplied() -> list[str]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
