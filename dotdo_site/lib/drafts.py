"""What the admin pages of drafts share: one form saves what is typed and, if that is asked for, publishes it.

Saving and publishing are one step on purpose: a button apart from the form would publish the text that was saved
before, and freeze it.
"""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from dotdo_site.lib.admin import RowAdmin, RowForm, actor

PUBLISH = "_publish"
WARNING = "A published version can never be edited or deleted; a change is a new version. Older runs keep theirs."


class DraftForm(RowForm):
    """Saves in `clean`, because the operation is the only judge; `drafted` is what it saved."""

    reason = forms.CharField(
        required=False, max_length=1_000, help_text="Why it is published; kept in the audit trail. Saving needs none."
    )
    actor = ""
    publishing = False
    drafted: Model | None = None

    def clean(self) -> dict[str, Any]:
        """Ask for a reason before anything is published."""
        cleaned = super().clean() or self.cleaned_data
        if self.publishing and not cleaned.get("reason") and "reason" not in self.errors:
            self.add_error("reason", "Say why it is published. Nothing was saved or published.")
        return cleaned

    def save(self, commit: bool = True) -> Any:  # noqa: ARG002 - the signature is Django's
        """Return the draft, which is saved already."""
        if self.drafted is None:
            raise ValueError("the form is not valid")
        return self.drafted

    def save_m2m(self) -> None:
        """Nothing to do."""


class DraftAdmin(RowAdmin):
    """Drafts can be edited and published; published versions are read, and copied into a new draft."""

    change_form_template = "admin/version.html"
    actions = None
    publish_permission = ""

    def settings_of_form(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the form must know: who saves, and whether to publish. Raises PermissionDenied."""
        publishing = PUBLISH in request.POST
        if publishing and not self.may_publish(request):
            raise PermissionDenied
        return {"actor": actor(request), "publishing": publishing}

    def may_publish(self, request: HttpRequest) -> bool:
        """Tell whether this person may publish."""
        return bool(request.user.has_perm(self.publish_permission))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Set what belongs to publishing apart, for those who may."""
        sets: list[Any] = [(None, {"fields": self.get_fields(request, obj)})]
        if self.may_publish(request) and self._editable(request, obj):
            sets.append(("Publish", {"fields": ("reason",), "description": WARNING}))
        return sets

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        """Nothing to do: the operation has saved it."""

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse: what was saved is in the audit trail."""
        return False

    def response_add(self, request: HttpRequest, obj: Model, post_url_continue: str | None = None) -> HttpResponse:
        """Show the version that was published, or what Django shows."""
        return self._published(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Model) -> HttpResponse:
        """Show the version that was published, or what Django shows."""
        return self._published(request, obj) or super().response_change(request, obj)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        """Offer the publish button beside the others."""
        obj = options.get("obj")
        context["may_publish"] = self.may_publish(request) and self._editable(request, obj)
        return super().render_change_form(request, context, *args, **options)

    def _editable(self, request: HttpRequest, obj: Any) -> bool:
        return self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)

    def _published(self, request: HttpRequest, obj: Model) -> HttpResponse | None:
        if PUBLISH not in request.POST:
            return None
        messages.success(request, f"Version {obj} is published. New runs use it; older runs keep theirs.")
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[obj.pk]))
