"""When each chore of the house is due next, and how its last round ended."""

from django.db import models


class Chore(models.Model):
    """One chore. Of all hosts, the one that moves `next_at` does the round."""

    name = models.CharField(primary_key=True, max_length=40)
    next_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, help_text="Why the last round failed.")

    class Meta:
        db_table = "chore"
        default_permissions = ["view"]

    def __str__(self) -> str:
        return self.name
