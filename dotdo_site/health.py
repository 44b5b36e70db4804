"""Whether this process is alive, and whether it can do its work: for load balancers and supervisors."""

from django.core.checks import ERROR
from django.db import DEFAULT_DB_ALIAS, Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from dotdo_site.database_checks import check_the_database_that_answers
from dotdo_site.lib import refusals


@require_safe
def alive(_: HttpRequest) -> JsonResponse:
    """Answer 200 as long as the process serves requests at all."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(_: HttpRequest) -> JsonResponse:
    """Answer 200 when the database takes writes, keeps our promises and is migrated, else 503 with the reason."""
    try:
        if not _writable():
            return _not_ready("database is read-only")
        if refusals.lately():
            return _not_ready("database is full")
        if wrong := _wrong_settings():
            return _not_ready("database settings", settings=wrong)
        waiting = _unapplied()
    except Error:
        return _not_ready("database unavailable")
    return _not_ready("migrations not applied", migrations=waiting) if waiting else JsonResponse({"status": "ready"})


def _not_ready(status: str, **more: list[str]) -> JsonResponse:
    return JsonResponse({"status": status, **more}, status=503, headers={"Retry-After": "5"})


def _writable() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean")
        (read_only,) = cursor.fetchone()
    return not read_only


def _wrong_settings() -> list[str]:
    found = check_the_database_that_answers([DEFAULT_DB_ALIAS])
    return [str(message.id) for message in found if message.level >= ERROR]


def _unapplied() -> list[str]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
