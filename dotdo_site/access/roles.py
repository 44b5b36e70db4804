"""The roles: Viewer, Operator, Editor, Admin (each contains the one before it) and Auditor."""

from typing import Any

from django.apps.registry import Apps

VIEWER = (
    "workflows.view_run",
    "workflows.view_workflow",
    "workflows.view_workflowversion",
    "workflows.view_entry",
    "workflows.view_worker",
    "workflows.view_schedule",
    "workflows.view_schedulefire",
    "workflows.view_failuregroup",
    "workflows.view_batch",
    "workflows.view_queue",
    "actions.view_action",
    "actions.view_actionversion",
)
OPERATOR = (
    *VIEWER,
    "workflows.start_run",
    "workflows.retry_run",
    "workflows.cancel_run",
    "workflows.suspend_run",
    "workflows.skip_step",
    "workflows.fire_timer",
    "workflows.undo_run",
    "workflows.answer_approval",
    "workflows.send_event",
    "workflows.view_event",
    "workflows.view_delivery",
    "workflows.view_endpoint",
    "workflows.change_schedule",
    "workflows.change_entry",
    "workflows.change_failuregroup",
    "workflows.change_batch",
    "workflows.change_queue",
    "workflows.drain_worker",
    "workflows.view_notification",
    "workflows.view_notificationrule",
    "workflows.mute_notification",
    "audit.view_auditevent",
)
EDITOR = (
    *OPERATOR,
    "workflows.add_workflow",
    "workflows.change_workflow",
    "workflows.add_workflowversion",
    "workflows.change_workflowversion",
    "workflows.publish_workflow",
    "actions.add_action",
    "actions.change_action",
    "actions.add_actionversion",
    "actions.change_actionversion",
    "actions.publish_action",
)
ADMIN = (
    *EDITOR,
    "workflows.view_payload",
    "workflows.erase_run",
    "workflows.add_endpoint",
    "workflows.change_endpoint",
    "workflows.add_notificationrule",
    "workflows.change_notificationrule",
    "audit.export_audit",
    "actions.view_connection",
    "actions.add_connection",
    "actions.change_connection",
    "access.view_apikey",
    "access.manage_keys",
    "auth.view_user",
    "auth.add_user",
    "auth.change_user",
    "auth.view_group",
)
AUDITOR = (
    *VIEWER,
    "workflows.view_event",
    "workflows.view_delivery",
    "workflows.view_payload",
    "audit.view_auditevent",
    "audit.export_audit",
)
ROLES = {"Viewer": VIEWER, "Operator": OPERATOR, "Editor": EDITOR, "Admin": ADMIN, "Auditor": AUDITOR}


def apply(apps: Apps) -> None:
    """Create the groups and add what they lack; nothing is taken away, so a site may widen a role.

    A permission that does not exist yet is left out: the migration that makes it calls this again.
    """
    group_model = apps.get_model("auth", "Group")
    known = _permissions(apps)
    for role, names in ROLES.items():
        group, _ = group_model.objects.get_or_create(name=role)
        group.permissions.add(*(known[name] for name in names if name in known))


def _permissions(apps: Apps) -> dict[str, Any]:
    rows = apps.get_model("auth", "Permission").objects.select_related("content_type")
    return {f"{row.content_type.app_label}.{row.codename}": row for row in rows}
