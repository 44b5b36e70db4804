"""Where a worker's pid means what it says: by host name alone, one container took the workers of another for dead."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workflows", "0016_retention_indexes")]
    operations = [
        migrations.AddField(
            model_name="worker",
            name="place",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The boot of the machine and the pid namespace in which the pid is valid.",
                max_length=100,
            ),
        ),
        migrations.AddField(
            model_name="worker",
            name="born",
            field=models.BigIntegerField(
                db_default=0, default=0, help_text="When the process started, in the kernel's ticks since the boot."
            ),
        ),
    ]
