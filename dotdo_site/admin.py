"""The admin site itself: its name, and what must not be edited by hand."""

import django_q.admin  # noqa: F401 - its registrations must be there before they are taken away
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest

from dotdo_site.lib.admin import ReadOnlyAdmin

admin.site.site_header = admin.site.site_title = "dotdo"
admin.site.index_title = "Definitions, connections, people"

# A schedule of django-q2 names any Python function: whoever may write one runs code as the worker.
for _model in apps.get_app_config("django_q").get_models():
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(LogEntry)
class Log(ReadOnlyAdmin):
    """What was done in the admin: behind the History buttons, not in the index. The audit trail has the facts."""

    list_display = ("action_time", "user", "content_type", "object_repr", "action_flag")
    fields = ("action_time", "user", "content_type", "object_id", "object_repr", "change_message")
    list_select_related = ("user", "content_type")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Leave it out of the index."""
        return False
