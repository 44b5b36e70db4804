"""Who may do what: API keys and one-time sign-in links. Roles are Django groups, made by a migration."""

from django.conf import settings
from django.db import models

from dotdo_site.lib.ids import uuid7


class ApiKey(models.Model):
    """A key for the API: `dotdo_<prefix>_<secret>`. Only a peppered digest of the secret is stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys")
    prefix = models.CharField(max_length=8, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        db_table = "api_key"
        verbose_name = "API key"
        ordering = ["-created_at"]
        default_permissions = ["view"]
        permissions = [("manage_keys", "Can issue and revoke API keys")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


class SignInLink(models.Model):
    """A one-time sign-in link, printed by `make up` and `make login`; only its digest is stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "sign_in_link"
        default_permissions = ()

    def __str__(self) -> str:
        return f"link for {self.user}"


class RateWindow(models.Model):
    """How many requests one subject (a key, a user, a failing address) has taken in its newest window."""

    subject = models.CharField(primary_key=True, max_length=80)
    started_at = models.DateTimeField(db_index=True)
    used = models.BigIntegerField()

    class Meta:
        db_table = "rate_window"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.subject}: {self.used}"
