"""Who is told of what: rules are set up here; messages have a page of their own."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from actions.notify import MOST_ADDRESSES, is_address, is_url
from dotdo_site.lib.admin import ReadOnlyAdmin, RowAdmin, RowForm, actor
from workflows import operations
from workflows.models import Notification, NotificationRule
from workflows.notifications import addresses, patterns
from workflows.notifications.kinds import KINDS

CHOICES = [(name, f"{name}: {kind.meaning}") for name, kind in KINDS.items()]


class Lines(forms.CharField):
    """A text area with one address a line."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        """Show a list line by line."""
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Return the addresses. Raises ValidationError."""
        found = list(dict.fromkeys(super().clean(value).replace(",", " ").split()))
        if wrong := [address for address in found if not is_address(address)]:
            raise forms.ValidationError(f"{wrong[0]} is not an e-mail address.")
        if len(found) > MOST_ADDRESSES:
            raise forms.ValidationError(f"Give {MOST_ADDRESSES} addresses at most.")
        return found


class RuleForm(RowForm):
    """Which kinds, of what, to whom."""

    kinds = forms.MultipleChoiceField(choices=CHOICES, widget=forms.CheckboxSelectMultiple)
    email = Lines(required=False, widget=forms.Textarea(attrs={"rows": 4}), help_text="One address a line.")

    class Meta:
        model = NotificationRule
        fields = (
            "name", "enabled", "kinds", "definitions", "queues", "after_seconds", "email", "webhook", "connection",
            "group_seconds",
        )  # fmt: skip
        labels = {"after_seconds": "After (seconds)", "group_seconds": "Group (seconds)"}
        help_texts = {
            "definitions": "Names of actions and workflows, with *: billing-*, onboarding.",
            "queues": "Names of queues, with *.",
            "after_seconds": "How long is too long, for the kinds that wait for something.",
            "webhook": "Such as https://example.com/hooks/dotdo. It is signed as Standard Webhooks says.",
            "connection": "Holds the secret that signs the webhook: whsec_ and then base64.",
            "group_seconds": "What comes of one kind and definition in this time is one message. 0: one each.",
        }

    def clean_definitions(self) -> str:
        """Take patterns only."""
        return _patterns(self.cleaned_data["definitions"])

    def clean_queues(self) -> str:
        """Take patterns only."""
        return _patterns(self.cleaned_data["queues"])

    def clean_webhook(self) -> str:
        """Take an absolute address."""
        url: str = self.cleaned_data["webhook"]
        if url and not is_url(url):
            raise forms.ValidationError("Give an address such as https://example.com/hooks/dotdo.")
        return url

    def clean(self) -> dict[str, Any]:
        """Ask for somebody to tell, and for a secret that can sign."""
        cleaned = super().clean() or {}
        if not self.errors and not cleaned.get("email") and not cleaned.get("webhook"):
            self.add_error("email", "Give an e-mail address here, or a webhook below.")
        if cleaned.get("webhook"):
            connection = cleaned.get("connection")
            wrong = operations.secret_problem("standard", connection) if connection else "Choose what signs it."
            if wrong:
                self.add_error("connection", wrong)
        return cleaned


def _patterns(text: str) -> str:
    if wrong := patterns.wrong(text):
        raise forms.ValidationError(f"{wrong[0]} is no name: use letters, digits, hyphens and *.")
    return ", ".join(patterns.parts(text)) or "*"


@admin.register(NotificationRule)
class Rules(RowAdmin):
    """Rules for all definitions."""

    form = RuleForm
    list_display = ("name", "enabled", "kinds", "definitions", "queues", "muted_until")
    list_filter = ("enabled",)
    fields = (*RuleForm.Meta.fields, "muted_until")
    readonly_fields = ("muted_until", "webhook_place")
    actions = ("send_test",)

    def get_fields(self, request: HttpRequest, obj: NotificationRule | None = None) -> tuple[str, ...]:
        """Show the whole webhook to those who may change it: its path may be a secret."""
        may_change = self.has_change_permission(request, obj) or obj is None
        return tuple("webhook_place" if name == "webhook" and not may_change else name for name in self.fields)

    @admin.display(description="webhook")
    def webhook_place(self, rule: NotificationRule) -> str:
        """Show where the webhook leads."""
        return addresses.shown("webhook", rule.webhook) if rule.webhook else ""

    @admin.action(description="Send a test message", permissions=["change"])
    def send_test(self, request: HttpRequest, rules: "QuerySet[NotificationRule]") -> None:
        """Let a message go out to every address of the rules."""
        count = sum(operations.send_test(rule, actor=actor(request)) for rule in rules)
        words = (
            f"{count} test message{'' if count == 1 else 's'} will go out within seconds: the page Notifications says"
        )
        messages.success(request, f"{words} whether they arrived.")

    def save_model(self, request: HttpRequest, obj: NotificationRule, form: Any, change: bool) -> None:
        """Save and record."""
        operations.save_rule(obj, actor=actor(request))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: it is switched off instead, and what it told stays."""
        return False


@admin.register(Notification)
class Notifications(ReadOnlyAdmin):
    """Messages; their page can send them again."""

    list_display = ("created_at", "kind", "definition", "channel", "shown", "state", "attempts", "error")
    list_filter = ("state", "channel", "kind")
    ordering = ("-id",)
    fields = (
        "id", "rule", "channel", "shown", "kind", "definition", "because", "state", "due_at", "attempts", "error",
        "created_at", "ended_at",
    )  # fmt: skip

    @admin.display(description="address")
    def shown(self, message: Notification) -> str:
        """Show where it goes, as the page does."""
        return addresses.shown(message.channel, message.address)
