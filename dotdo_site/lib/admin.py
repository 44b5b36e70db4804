"""What the admin pages of all apps share: rows that are only read, and JSON fields with the strict parser."""

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from dotdo_site.lib import strict_json

NAME_RULE = "A name has 1 to 63 small letters, digits and hyphens, with no hyphen at its beginning or end: order-paid."

if TYPE_CHECKING:  # the stubs make generic classes of what is not generic at run time
    RowAdmin = admin.ModelAdmin[Any]
    RowInline = admin.TabularInline[Any, Any]
    RowForm = forms.ModelForm[Any]
else:
    RowAdmin, RowInline, RowForm = admin.ModelAdmin, admin.TabularInline, forms.ModelForm


class ReadOnlyAdmin(RowAdmin):
    """Shows rows and changes none: whatever changes them goes through operations, which record it."""

    show_full_result_count = False
    list_per_page = 50
    actions = None
    view_permission = ""

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Ask for the named permission, or for Django's own."""
        return (
            request.user.has_perm(self.view_permission)
            if self.view_permission
            else super().has_view_permission(request)
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        """List the model for those who may see it."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False


class JSONText(forms.CharField):
    """A text area whose text must be JSON as the API would take it."""

    widget = forms.Textarea

    def __init__(self, *, kind: type = dict, **options: Any) -> None:
        self.kind = kind
        super().__init__(**{"strip": False, "required": False, "initial": kind, **options})

    def prepare_value(self, value: Any) -> Any:
        """Show a value as indented JSON; what was typed stays as it was typed."""
        if value is None or isinstance(value, str):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False)

    def clean(self, value: Any) -> Any:
        """Return the parsed value. Raises ValidationError."""
        text = super().clean(value)
        if not text.strip():
            return self.kind()
        try:
            parsed = strict_json.loads(text.encode("utf-8", "surrogatepass"))
        except strict_json.BadJSON as error:
            raise forms.ValidationError(error.message) from None
        if not isinstance(parsed, self.kind):
            raise forms.ValidationError(f"This must be a JSON {'object' if self.kind is dict else 'list'}.")
        return parsed


def actor(request: HttpRequest) -> str:
    """Return the name under which operations record what this person does."""
    return f"user:{request.user.get_username()}"
