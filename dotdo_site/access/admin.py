"""People and API keys in the admin. Whoever is not a superuser can neither become one nor act through one."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest

from dotdo_site.access import keys, scopes
from dotdo_site.access.models import ApiKey

if TYPE_CHECKING:
    KeyAdmin = admin.ModelAdmin[ApiKey]
    KeyForm = forms.ModelForm[ApiKey]
    PeopleAdmin = UserAdmin[User]
else:
    KeyAdmin, KeyForm, PeopleAdmin = admin.ModelAdmin, forms.ModelForm, UserAdmin

NAMES = "names separated by spaces; * stands for any characters, as in send-*. Empty: none."
admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(PeopleAdmin):
    """People: deactivated, never deleted; what makes a superuser is for superusers only."""

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Show superuser status and single permissions to others than superusers, but not as fields."""
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if _is_superuser(request) else (*fields, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Keep superusers (and their passwords) out of reach of others."""
        within_reach = obj is None or not obj.is_superuser or _is_superuser(request)
        return within_reach and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse: the audit trail names people; take `active` away instead."""
        return False


class NewKeyForm(KeyForm):
    """What a new key needs."""

    scopes = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=[(scope, f"{scope}: {text}") for scope, text in scopes.SCOPES.items() if "<" not in scope],
    )
    start_actions = forms.CharField(required=False, max_length=1_000, help_text=f"Actions it may start: {NAMES}")
    start_workflows = forms.CharField(required=False, max_length=1_000, help_text=f"Workflows it may start: {NAMES}")
    days = forms.IntegerField(min_value=1, max_value=keys.MAX_LIFE.days, initial=keys.DEFAULT_LIFE.days)

    class Meta:
        model = ApiKey
        fields = ("name", "owner")

    def clean(self) -> dict[str, Any]:
        """Put the scopes together; a key needs at least one, and names must be ones that a definition can have."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        wanted = [
            *cleaned.get("scopes", []),
            *(f"start:action:{name}" for name in cleaned.get("start_actions", "").split()),
            *(f"start:workflow:{name}" for name in cleaned.get("start_workflows", "").split()),
        ]
        if not self.errors:
            try:
                cleaned["scopes"] = scopes.check(wanted)
            except scopes.UnknownScope as error:
                raise ValidationError(str(error)) from None
        return cleaned


@admin.register(ApiKey)
class ApiKeyAdmin(KeyAdmin):
    """Keys: issued with the plaintext shown once, revoked with a command, otherwise read-only."""

    list_display = ("name", "prefix", "owner", "created_at", "expires_at", "revoked_at", "last_used_at")
    search_fields = ("name", "prefix")
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let those issue keys who may."""
        return request.user.has_perm("access.manage_keys")

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Refuse: a key that should be different is a new key."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Refuse: the audit trail names keys; revoke instead."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Let those revoke keys who may issue them."""
        return request.user.has_perm("access.manage_keys")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        """Show everything of a key but its digest."""
        if obj is None:
            return ("name", "owner", "scopes", "start_actions", "start_workflows", "days")
        return ("name", "prefix", "owner", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Ask for a new key's scopes and life."""
        return super().get_form(request, obj, change, **kwargs, **({"form": NewKeyForm} if obj is None else {}))

    def formfield_for_foreignkey(self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        """Offer as owners active people, and superusers only to superusers: a key acts as its owner."""
        people = User.objects.filter(is_active=True)
        kwargs["queryset"] = people if _is_superuser(request) else people.filter(is_superuser=False)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Issue the key and show its plaintext, this once."""
        key, plaintext = keys.issue(
            obj.name,
            obj.owner,
            form.cleaned_data["scopes"],
            actor=f"user:{request.user.get_username()}",
            expires_in=timedelta(days=form.cleaned_data["days"]),
        )
        obj.pk, obj.prefix, obj.expires_at, obj.created_at = key.pk, key.prefix, key.expires_at, key.created_at
        messages.warning(request, f"Copy the key now, it is not shown again: {plaintext}")

    @admin.action(description="Revoke the selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Make the keys useless at once."""
        actor = f"user:{request.user.get_username()}"
        done = sum(keys.revoke(key, actor=actor, reason="revoked in the admin") for key in queryset)
        messages.success(request, f"{done} revoked")


def _is_superuser(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_superuser
