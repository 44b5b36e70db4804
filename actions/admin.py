"""Actions without code are drafted here, published, and then never changed; secrets go in and never come out."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime

from actions import publishing, sealing, secrets
from actions.contract import EFFECTS, ON_CRASH
from actions.models import Action, ActionVersion, Connection
from actions.publishing import BY_HAND, DefinitionInvalid
from dotdo_site.lib import durations
from dotdo_site.lib.admin import NAME_RULE, JSONText, ReadOnlyAdmin, RowAdmin, RowForm, RowInline, actor
from dotdo_site.lib.drafts import DraftAdmin, DraftForm

CONTRACT = (
    "kind", "config", "input_schema", "output_schema", "retry", "timeout", "effect", "on_crash", "queue", "undo",
    "notify",
)  # fmt: skip
CONFIG_HELP = (
    'http: {"method": "POST", "url": "https://api.example.com/users/{id}", "connection": {"name": "crm", "as": '
    '"bearer"}}; body, query, headers, encoding, success, errors and response may be added. '
    'email: {"to": "{{ email }}", "subject": "Welcome", "text": "Hello {{ name }}"}. '
    "In texts {{ name }} stands for a field of the input."
)


class ContractForm(DraftForm):
    """Everything that makes a version; the checks are those of the API."""

    name = forms.CharField(max_length=63, help_text="Small letters, digits and hyphens: send-invoice.")
    version = forms.CharField(max_length=40, initial="1.0.0", help_text="Three numbers: 1.0.0.")
    title = forms.CharField(max_length=200, required=False)
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    kind = forms.ChoiceField(choices=[(kind, kind) for kind in BY_HAND])
    config = JSONText(help_text=CONFIG_HELP)
    input_schema = JSONText(help_text='JSON Schema, or the short form: {"email": "string", "amount": "number"}.')
    output_schema = JSONText(help_text='JSON Schema, or the short form: {"id": "string"}. Left as {}: any object.')
    retry = JSONText(help_text='Such as {"max_attempts": 5, "initial": "2s"}; left as {}: the defaults.')
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
    undo = forms.CharField(
        max_length=63,
        required=False,
        help_text="The action that takes this one back, such as a refund for a charge; workflows undo with it.",
    )

    notify = JSONText(
        help_text='Who is told: {"on": ["dead_letter"], "email": ["ops@example.com"]}; a "webhook" needs a '
        '"connection" that holds the secret. Left as {}: only whom the notification rules name.'
    )

    class Meta:
        model = ActionVersion
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and self.instance.action_id:
            self.initial.update(describe(self.instance))
            self.fields["name"].disabled = self.fields["version"].disabled = True

    def clean(self) -> dict[str, Any]:
        """Save the draft and, if that is asked for, publish it: both or neither. Nothing else can be wrong here."""
        cleaned = super().clean()
        if self.errors:
            return cleaned
        try:
            self.drafted = self._keep(**cleaned)
        except DefinitionInvalid as refused:
            for problem in refused.problems:
                field = problem.pointer.split("/")[1] if problem.pointer else ""
                self.add_error(field if field in self.fields else None, f"{problem.pointer} {problem.message}")
        return cleaned

    @transaction.atomic
    def _keep(self, *, reason: str, **parts: Any) -> ActionVersion:
        replace = bool(self.instance.pk and self.instance.action_id)
        draft = publishing.create_draft(**parts, actor=self.actor, replace_draft=replace)
        return publishing.publish(draft, actor=self.actor, reason=reason) if self.publishing else draft

    def _post_clean(self) -> None:
        """Leave the instance as it is: the operation has judged and saved."""


@admin.register(ActionVersion)
class Versions(DraftAdmin):
    """The versions of actions."""

    form = ContractForm
    publish_permission = "actions.publish_action"
    list_display = ("action", "version", "kind", "state", "published_at")
    list_filter = ("state", "kind")
    list_select_related = ("action",)
    search_fields = ("action__name",)
    shown = (
        "action", "version", "state", "published_at", "kind", "config", "input_schema", "output_schema", "retry",
        "timeout_ms", "effect", "transactional", "on_crash", "queue", "undo", "notify", "digest",
    )  # fmt: skip

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Give the form the person who saves."""
        if not self._editable(request, obj):
            return super().get_form(request, obj, change=change, **{**kwargs, "form": forms.ModelForm, "fields": ()})
        return type("Draft", (ContractForm,), self.settings_of_form(request))

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

    def has_change_permission(self, request: HttpRequest, obj: ActionVersion | None = None) -> bool:
        """Allow drafts made here only: the contract of a Python action is its code."""
        draft = obj is None or (obj.state == "draft" and obj.kind in BY_HAND)
        return draft and super().has_change_permission(request, obj)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """Offer the links that the state allows."""
        version = get_object_or_404(ActionVersion, pk=_uuid(object_id))
        add = reverse("admin:actions_actionversion_add")
        may_copy = version.state != "draft" and version.kind in BY_HAND and self.has_add_permission(request)
        context = {
            "copy_url": f"{add}?{urlencode({'from': version.pk})}" if may_copy else "",
            "page_url": f"/actions/{version.action.name}/",
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})


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
    fields = ("name", "title", "description", "keep_days", "created_at")
    inlines = (VersionsOf,)


class WriteOnly(forms.Textarea):
    """A text area that never shows what was in it, not even beside an error."""

    def format_value(self, value: Any) -> str:
        """Return nothing."""
        return ""


class ConnectionForm(RowForm):
    """The secret is asked for at every change: where it may be sent is part of it."""

    allowed_hosts = JSONText(
        kind=list,
        help_text='Where it may be sent: ["api.example.com"]; [] if it is for checking signatures only.',
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="A token. It is encrypted and cannot be read back. Give it again with every change.",
    )
    parts = JSONText(
        help_text='Or several parts: {"username": "ann", "password": "..."}. The user name may appear in results.',
        widget=WriteOnly(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
    )

    class Meta:
        model = Connection
        fields = ("name", "description", "allowed_hosts")
        error_messages = {"name": {"invalid": NAME_RULE}}

    def clean_allowed_hosts(self) -> list[str]:
        """Take host names only; none at all means that the secret is never sent anywhere."""
        hosts: list[Any] = self.cleaned_data["allowed_hosts"]
        if not all(isinstance(host, str) and host and "/" not in host for host in hosts):
            raise forms.ValidationError("Give host names, without scheme or path.")
        return hosts

    def clean(self) -> dict[str, Any]:
        """Take either a token or parts."""
        cleaned = super().clean() or {}
        given = [cleaned[name] for name in ("secret", "parts") if cleaned.get(name)]
        if len(given) == 1:
            self._check(given[0])
        elif not self.errors:
            self.add_error("secret", "Give either a token here or parts below.")
        return cleaned

    def _check(self, given: Any) -> None:
        try:
            secrets.check_parts(secrets.as_parts(given))
        except ValueError as error:
            self.add_error("parts", str(error))


@admin.register(Connection)
class Connections(RowAdmin):
    """Named secrets; write-only."""

    form = ConnectionForm
    list_display = ("name", "description", "rotated_at")
    fields = ("name", "description", "allowed_hosts", "secret", "parts", "stored")
    readonly_fields = ("stored",)
    actions = None

    @admin.display(description="stored now")
    def stored(self, connection: Connection) -> str:
        """Return the names of the parts, as workflows use them."""
        if not connection.ciphertext:
            return "nothing"
        try:
            names = sorted(secrets.parts_of(connection))
        except sealing.CannotDecrypt as error:
            return f"unreadable: {error}"
        return f"{', '.join(names)}; set {date_format(localtime(connection.rotated_at), 'DATETIME_FORMAT')}"

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        """Encrypt, save and record."""
        given = form.cleaned_data["secret"] or form.cleaned_data["parts"]
        secrets.set_secret(obj, given, actor=actor(request))

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
