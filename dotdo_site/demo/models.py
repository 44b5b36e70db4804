"""The customer's own database, as far as the story needs one."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now


class DemoUser(models.Model):
    """A user as the shop of the story knows them."""

    id = models.CharField(primary_key=True, max_length=100)
    name = models.CharField(max_length=200)
    email = models.EmailField()
    created_at = models.DateTimeField(db_default=Now())

    # Written out for type checkers, which run where this app is not installed.
    objects: ClassVar[models.Manager["DemoUser"]] = models.Manager()

    class Meta:
        db_table = "demo_user"

    def __str__(self) -> str:
        return self.id
