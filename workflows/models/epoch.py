"""Which history of the database this is: the upper part of every fence."""

from django.db import models
from django.db.models.functions import Now


class Epoch(models.Model):
    """The one row of its table. `server` and `timeline` name the PostgreSQL that wrote it; see `workflows/epoch.py`."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    value = models.BigIntegerField()
    server = models.CharField(max_length=40)
    timeline = models.CharField(max_length=40)
    began_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "epoch"
        default_permissions = []
        constraints = [models.CheckConstraint(condition=models.Q(id=1, value__gte=0), name="epoch_one_row")]

    def __str__(self) -> str:
        return str(self.value)
