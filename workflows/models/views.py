from django.conf import settings
from django.db import models

from dotdo_site.lib.ids import uuid7


class SavedView(models.Model):
    """A filter of the run list under a name, for the person who saved it; `query` is what stands in the address."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # the migration makes a constraint that deletes by itself
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "saved_view"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="saved_view_once")]

    def __str__(self) -> str:
        return self.name
