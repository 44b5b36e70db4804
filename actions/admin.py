"""Actions without code are drafted here, published, and then never changed; secrets go in and never come out."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from actions import publishing, secrets
from actions.contract import EFFECTS, ON_CRASH
from actions.models import Action, ActionVersion, Connection
from actions.publishing import BY_HAND, DefinitionInvalid
from dotdo_site.lib import durations
from dotdo_site.lib.admin import JSONText, ReadOnlyAdmin, RowAdmin, RowForm, RowInline, actor

CONTRACT = ("kind", "config", "input_schema", "output_schema", "retry", "timeout", "effect", "on_crash", "queue")


class DraftForm(RowForm):
    """Everything that makes a version; the checks are those of the API."""

    name = forms.CharField(max_length=63, help_text="Small letters, digits and hyphens: send-invoice.")
    version = forms.CharField(max_length=40, initial="1.0.0", help_text="Three numbers: 1.0.0.")
    title = forms.CharField(max_length=200, required=False)
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    kind = forms.ChoiceField(choices=[(kind, kind) for kind in BY_HAND])
    config = JSONText(help_text="What the kind needs, as JSON: docs/actions.md lists it.")
    input_schema = JSONText(help_text='JSON Schema, or the short form: {"email": "string"}.')
    output_schema = JSONText(help_text="JSON Schema, or the short form.")
    retry = JSONText(help_text='Such as {"max_attempts": 5, "initial": "2s"}; empty: the defaults.')
    timeout = forms.CharField(initial="30s", help_text="For each attempt: 30s, 5m.")
    effect = forms.ChoiceField(
        choices=[(effect, effect) for effect in EFFECTS],
        initial="keyed",
        help_text="Repeating it does outside: nothing (pure), nothing for one idempotency key (keyed), harm (unsafe).",
    )
    on_crash = forms.ChoiceField(
        choices=[(each, each) for each in ON_CRASH], help_text="When the worker died while it ran."
    )
    queue = forms.CharField(max_length=63, initial="default")
    actor = ""
    drafted: ActionVersion | None = None

    class Meta:
        model = ActionVersion
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and self.instance.action_id:
            self.initial.update(describe(self.instance))
            self.fields["name"].disabled = self.fields["version"].disabled = True

    def clean(self) -> dict[str, Any]:
        """Save the draft: the operation is the only judge, and nothing else can be wrong here."""
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        replace = bool(self.instance.pk and self.instance.action_id)
        try:
            self.drafted = publishing.create_draft(**cleaned, actor=self.actor, replace_draft=replace)
        except DefinitionInvalid as refused:
            for problem in refused.problems:
                field = problem.pointer.split("/")[1] if problem.pointer else ""
                self.add_error(field if field in self.fields else None, f"{problem.pointer} {problem.message}")
        return cleaned

    def _post_clean(self) -> None:
        """Leave the instance as it is: the operation has judged and saved."""

    def save(self, commit: bool = True) -> ActionVersion:
        """Return the draft, which is saved already."""
        if self.drafted is None:
            raise ValueError("the form is not valid")
        return self.drafted

    def save_m2m(self) -> None:
        """Nothing to do."""


@admin.register(ActionVersion)
class Versions(RowAdmin):
    """Drafts can be edited; published versions are read, and copied into a new draft."""

    form = DraftForm
    change_form_template = "admin/version.html"
    list_display = ("action", "version", "kind", "state", "published_at")
    list_filter = ("state", "kind")
    list_select_related = ("action",)
    search_fields = ("action__name",)
    actions = None
    shown = (
        "action", "version", "state", "published_at", "kind", "config", "input_schema", "output_schema", "retry",
        "timeout_ms", "effect", "transactional", "on_crash", "queue", "digest",
    )  # fmt: skip

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Give the form the person who saves."""
        if not self._editable(request, obj):
            return super().get_form(request, obj, change=change, **{**kwargs, "form": forms.ModelForm, "fields": ()})
        return type("Draft", (DraftForm,), {"actor": actor(request)})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Ask for the parts of a draft; show the facts of what is published."""
        return ("name", "version", "title", "description", *CONTRACT) if self._editable(request, obj) else self.shown

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A published contract cannot be edited by anybody."""
        return () if self._editable(request, obj) else self.shown

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin a new draft with the parts of another version."""
        origin = ActionVersion.objects.filter(pk=_uuid(request.GET.get("from"))).first()
        return describe(origin) if origin else {}

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        """Nothing to do: the operation has saved it."""

    def has_change_permission(self, request: HttpRequest, obj: ActionVersion | None = None) -> bool:
        """Allow drafts made here only: the contract of a Python action is its code."""
        draft = obj is None or (obj.state == "draft" and obj.kind in BY_HAND)
        return draft and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: what was saved is in the audit trail."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Add the publish button's address."""
        publish = path(
            "<uuid:pk>/publish/", self.admin_site.admin_view(require_POST(self.publish)), name="publish_action"
        )
        return [publish, *super().get_urls()]

    def publish(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Publish a draft, or say what keeps it from being published."""
        if not request.user.has_perm("actions.publish_action"):
            raise PermissionDenied
        version = get_object_or_404(ActionVersion, pk=pk)
        try:
            publishing.publish(version, actor=actor(request))
        except DefinitionInvalid as refused:
            for problem in refused.problems:
                messages.error(request, f"{problem.pointer or '/'} {problem.message}")
        else:
            messages.success(request, f"{version} is published.")
        return HttpResponseRedirect(reverse("admin:actions_actionversion_change", args=[pk]))

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """Offer the buttons that the state allows."""
        version = get_object_or_404(ActionVersion, pk=_uuid(object_id))
        add = reverse("admin:actions_actionversion_add")
        may_publish = version.state == "draft" and request.user.has_perm("actions.publish_action")
        may_copy = version.kind in BY_HAND and self.has_add_permission(request)
        context = {
            "publish_url": reverse("admin:publish_action", args=[version.pk]) if may_publish else "",
            "copy_url": f"{add}?{urlencode({'from': version.pk})}" if may_copy else "",
            "page_url": f"/actions/{version.action.name}/",
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    def _editable(self, request: HttpRequest, obj: Any) -> bool:
        return obj is None or self.has_change_permission(request, obj)


class VersionsOf(RowInline):
    """The versions of an action."""

    model = ActionVersion
    fields = readonly_fields = ("version", "kind", "state", "published_at")
    show_change_link = True
    can_delete = False
    max_num = extra = 0

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a version has its own page."""
        return False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a version has its own page."""
        return False


@admin.register(Action)
class Actions(ReadOnlyAdmin):
    """Names with versions; a draft of a version makes or changes them."""

    list_display = ("name", "title")
    fields = ("name", "title", "description", "created_at")
    inlines = (VersionsOf,)


class ConnectionForm(RowForm):
    """The secret is asked for at every change: where it may be sent is part of it."""

    allowed_hosts = JSONText(
        kind=list,
        required=True,
        help_text='Where it may be sent: ["api.example.com"].',
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    secret = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="It is encrypted and cannot be read back. Give it again with every change.",
    )

    class Meta:
        model = Connection
        fields = ("name", "description", "allowed_hosts")

    def clean_allowed_hosts(self) -> list[str]:
        """Take host names only."""
        hosts: list[Any] = self.cleaned_data["allowed_hosts"]
        if not hosts or not all(isinstance(host, str) and host and "/" not in host for host in hosts):
            raise forms.ValidationError("Give at least one host name, without scheme or path.")
        return hosts


@admin.register(Connection)
class Connections(RowAdmin):
    """Named secrets; write-only."""

    form = ConnectionForm
    list_display = ("name", "description", "rotated_at")
    fields = ("name", "description", "allowed_hosts", "secret")
    actions = None

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        """Encrypt, save and record."""
        secrets.set_secret(obj, form.cleaned_data["secret"], actor=actor(request))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: actions name it."""
        return False


def describe(version: ActionVersion) -> dict[str, Any]:
    """Return the parts of a version as the form asks for them."""
    parts = {name: getattr(version, name) for name in CONTRACT if name != "timeout"}
    action = version.action
    return {
        **parts,
        "timeout": durations.text(version.timeout_ms / 1_000),
        "name": action.name,
        "version": version.version,
        "title": action.title,
        "description": action.description,
    }


def _uuid(text: Any) -> Any:
    """Return the id, or nothing."""
    try:
        return forms.UUIDField().to_python(text)
    except forms.ValidationError:
        return None
